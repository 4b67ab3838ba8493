using System.Buffers.Binary;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One save: produces the migration stream, as many bytes at a time as the client reads.</summary>
/// <remarks>Command thread. Buffers one record at a time, never the whole stream.</remarks>
internal sealed class MigrationWriter
{
    /// <summary>Most bytes of a device state or memory record, without its header.</summary>
    public const int PieceSize = 64 << 10;

    private readonly PciDevice _device;
    private readonly StateLayout _layout;
    private readonly IMigrationState? _deviceState;
    private readonly MemoryPreCopy _memory;
    private readonly IEnumerator<bool> _records;
    private byte[] _bytes = new byte[MigrationStream.RecordHeaderSize + PieceSize];
    private int _at;
    private int _end;
    private uint _checksum = uint.MaxValue;
    private bool _stopped;
    private bool _savedDeviceState;
    private bool _startsOver;

    public MigrationWriter(PciDevice device, StateLayout layout, IMigrationState? deviceState)
    {
        _device = device;
        _layout = layout;
        _deviceState = deviceState;
        _memory = new MemoryPreCopy(layout);
        _records = Records().GetEnumerator();
    }

    /// <summary>Whether a read failed: its bytes are lost, so the save must begin again.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Whether a read has come to the end of what could be saved at that time: the initial state is read.</summary>
    public bool IsDrained { get; private set; }

    /// <summary>Bytes of the current record that are not read yet.</summary>
    public int Buffered => _end - _at;

    /// <summary>Bytes of memory that can be read before the device is stopped.</summary>
    public ulong MemoryWhileRunning => (ulong)_memory.LeftWhileRunning;

    /// <summary>The device state that was saved so far is void, since the device was reset.</summary>
    /// <param name="begin">Begins the device state again; if it throws, the save is over.</param>
    public void StartOver(Action begin)
    {
        IsBroken = true;
        begin();
        IsBroken = false;
        IsDrained = false;
        _startsOver = _savedDeviceState;
    }

    /// <summary>Fills <paramref name="destination"/> with the next bytes of the stream.</summary>
    /// <returns>Bytes filled; fewer than requested if there are no more now or, if <paramref name="stopped"/>, at the end.</returns>
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
            IsBroken = true; // the bytes read so far cannot be continued
            throw;
        }
    }

    // Yields true for each record in the buffer, false for "nothing now".
    private IEnumerable<bool> Records()
    {
        PutHeader();
        yield return true;
        while (!_stopped && _memory.Next() is { } piece)
        {
            PutMemory(piece.Region, piece.Offset, piece.Length);
            _memory.Saved(piece, _bytes.AsSpan(_end - piece.Length, piece.Length));
            yield return Finish();
        }
        bool stopped = false;
        while (_deviceState is not null)
        {
            if (_startsOver)
            {
                (_startsOver, _savedDeviceState) = (false, false);
                Begin(MigrationRecord.StartOver, 0);
                yield return Finish();
            }
            stopped = _stopped;
            if (PutDeviceState(stopped))
                yield return true;
            else if (stopped)
                break;
            else
                yield return false;
        }
        while (!_stopped)
            yield return false;
        _device.Config.Read(0, Begin(MigrationRecord.Config, _layout.ConfigSize));
        yield return Finish();
        _layout.SaveParts(Begin(MigrationRecord.Parts, _layout.PartsSize));
        yield return Finish();
        _layout.SaveIrqs(Begin(MigrationRecord.Irqs, _layout.IrqsSize));
        yield return Finish();
        if (_layout.TimersSize > 0)
        {
            _layout.SaveTimers(Begin(MigrationRecord.Timers, _layout.TimersSize));
            yield return Finish();
        }
        foreach (MemoryPiece piece in _memory.Left())
        {
            PutMemory(piece.Region, piece.Offset, piece.Length);
            yield return Finish();
        }
        uint checksum = _checksum;
        BinaryPrimitives.WriteUInt32LittleEndian(Begin(MigrationRecord.End, MigrationStream.EndSize), checksum);
        yield return Finish();
    }

    private void PutHeader()
    {
        WireFormat.Write(_bytes, MigrationStream.HeaderOf(_device));
        (_at, _end) = (0, MigrationHeader.WireSize);
        _checksum = MigrationStream.Checksum(_checksum, _bytes.AsSpan(0, _end));
    }

    private bool PutDeviceState(bool stopped)
    {
        Span<byte> room = _bytes.AsSpan(MigrationStream.RecordHeaderSize);
        int count = _deviceState!.Save(room, stopped);
        if (count < 0 || count > room.Length)
            throw new InvalidOperationException($"{_deviceState.GetType().Name}.Save returned {count} for a destination of {room.Length} bytes.");
        if (count == 0)
            return false;
        _savedDeviceState = true;
        Begin(MigrationRecord.DeviceState, count);
        return Finish();
    }

    private void PutMemory(Region region, long offset, int length)
    {
        Span<byte> record = Begin(MigrationRecord.Memory, MigrationStream.MemoryHeaderSize + length);
        BinaryPrimitives.WriteUInt64LittleEndian(record, (uint)region.Index);
        BinaryPrimitives.WriteInt64LittleEndian(record[8..], offset);
        region.Memory!.Span(offset, length).CopyTo(record[MigrationStream.MemoryHeaderSize..]);
    }

    private Span<byte> Begin(MigrationRecord kind, int length)
    {
        int size = MigrationStream.RecordHeaderSize + length;
        if (size > _bytes.Length)
            _bytes = new byte[size]; // the device has very many registers
        WireFormat.Write(_bytes, (uint)kind);
        WireFormat.Write(_bytes.AsSpan(sizeof(uint)), (uint)length);
        (_at, _end) = (0, size);
        return _bytes.AsSpan(MigrationStream.RecordHeaderSize, length);
    }

    private bool Finish()
    {
        _checksum = MigrationStream.Checksum(_checksum, _bytes.AsSpan(0, _end));
        return true;
    }
}
