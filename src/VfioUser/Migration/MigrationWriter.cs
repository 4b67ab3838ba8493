using System.Buffers.Binary;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One save: turns a device into bytes, as many at a time as the client asks for.</summary>
/// <remarks>Command thread. Holds one record at a time, never the whole state.</remarks>
internal sealed class MigrationWriter
{
    /// <summary>Bytes of one record of the author's or of memory.</summary>
    public const int PieceSize = 64 << 10;

    private readonly PciDevice _device;
    private readonly MigrationShape _shape;
    private readonly IMigrationState? _author;
    private readonly IEnumerator<bool> _records;
    private byte[] _bytes = new byte[MigrationStream.RecordHeadSize + PieceSize];
    private int _at;
    private int _end;
    private uint _checksum = uint.MaxValue;
    private bool _stopped;
    private bool _gaveAuthor;
    private bool _startsOver;

    public MigrationWriter(PciDevice device, MigrationShape shape, IMigrationState? author)
    {
        _device = device;
        _shape = shape;
        _author = author;
        _records = Records().GetEnumerator();
    }

    /// <summary>Whether a read failed: bytes of it are lost, and the save has to begin again.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Whether all was read that there was when the save began, while the device still runs.</summary>
    public bool IsDrained { get; private set; }

    /// <summary>Bytes that the author gave and that were not read yet.</summary>
    public int Buffered => _end - _at;

    /// <summary>What the author gave so far is void, as the device was reset.</summary>
    /// <param name="begin">Has the author begin again; if it throws, the save is over.</param>
    public void StartOver(Action begin)
    {
        IsBroken = true;
        begin();
        IsBroken = false;
        IsDrained = false;
        _startsOver = _gaveAuthor;
    }

    /// <summary>Fills <paramref name="destination"/> with what comes next.</summary>
    /// <returns>Bytes filled; fewer than asked for when there is nothing more now or, if <paramref name="stopped"/>, at all.</returns>
    public int Read(Span<byte> destination, bool stopped)
    {
        _stopped = stopped;
        int count = 0;
        while (count < destination.Length && (_at < _end || Next()))
        {
            int piece = Math.Min(_end - _at, destination.Length - count);
            _bytes.AsSpan(_at, piece).CopyTo(destination[count..]);
            _at += piece;
            count += piece;
        }
        IsDrained |= count < destination.Length;
        return count;
    }

    private bool Next()
    {
        try
        {
            if (_records.MoveNext() && _records.Current)
                return true;
            (_at, _end) = (0, 0);
            return false;
        }
        catch
        {
            IsBroken = true; // what was read so far has no continuation
            throw;
        }
    }

    // True for each piece that is ready, false for "not now".
    private IEnumerable<bool> Records()
    {
        PutHead();
        yield return true;
        bool stopped = false;
        while (_author is not null)
        {
            if (_startsOver)
            {
                (_startsOver, _gaveAuthor) = (false, false);
                Begin(MigrationRecord.StartOver, 0);
                yield return Finish();
            }
            stopped = _stopped;
            if (PutAuthor(stopped))
                yield return true;
            else if (stopped)
                break;
            else
                yield return false;
        }
        while (!_stopped)
            yield return false;
        _device.Config.Read(0, Begin(MigrationRecord.Config, _shape.ConfigSize));
        yield return Finish();
        _shape.SaveParts(Begin(MigrationRecord.Parts, _shape.PartsSize));
        yield return Finish();
        _shape.SaveIrqs(Begin(MigrationRecord.Irqs, _shape.IrqsSize));
        yield return Finish();
        foreach ((Region region, MemoryArea area) in _shape.Memory)
        {
            for (ulong done = 0; done < area.Length;)
            {
                int length = (int)Math.Min(area.Length - done, PieceSize - MigrationStream.MemoryHeadSize);
                PutMemory(region, area.Offset + done, length);
                yield return Finish();
                done += (ulong)length;
            }
        }
        uint checksum = _checksum;
        BinaryPrimitives.WriteUInt32LittleEndian(Begin(MigrationRecord.End, MigrationStream.EndSize), checksum);
        yield return Finish();
    }

    private void PutHead()
    {
        WireFormat.Write(_bytes, MigrationStream.HeadOf(_device));
        (_at, _end) = (0, MigrationHead.WireSize);
        _checksum = MigrationStream.Checksum(_checksum, _bytes.AsSpan(0, _end));
    }

    private bool PutAuthor(bool stopped)
    {
        Span<byte> room = _bytes.AsSpan(MigrationStream.RecordHeadSize);
        int count = _author!.Save(room, stopped);
        if (count < 0 || count > room.Length)
            throw new InvalidOperationException($"{_author.GetType().Name} says it saved {count} bytes where there is room for {room.Length}.");
        if (count == 0)
            return false;
        _gaveAuthor = true;
        Begin(MigrationRecord.Author, count);
        return Finish();
    }

    private void PutMemory(Region region, ulong offset, int length)
    {
        Span<byte> record = Begin(MigrationRecord.Memory, MigrationStream.MemoryHeadSize + length);
        BinaryPrimitives.WriteUInt64LittleEndian(record, (uint)region.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(record[8..], offset);
        region.Memory!.Span(offset, length).CopyTo(record[MigrationStream.MemoryHeadSize..]);
    }

    private Span<byte> Begin(MigrationRecord kind, int length)
    {
        int size = MigrationStream.RecordHeadSize + length;
        if (size > _bytes.Length)
            _bytes = new byte[size]; // a device of very many registers
        WireFormat.Write(_bytes, (uint)kind);
        WireFormat.Write(_bytes.AsSpan(sizeof(uint)), (uint)length);
        (_at, _end) = (0, size);
        return _bytes.AsSpan(MigrationStream.RecordHeadSize, length);
    }

    private bool Finish()
    {
        _checksum = MigrationStream.Checksum(_checksum, _bytes.AsSpan(0, _end));
        return true;
    }
}
