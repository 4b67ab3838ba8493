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
    private readonly StateLayout _layout;
    private readonly IMigrationState? _deviceState;
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
        _startsOver = _savedDeviceState;
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
        PutHeader();
        yield return true;
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
        foreach ((Region region, MemoryArea area) in _layout.Memory)
        {
            for (ulong done = 0; done < area.Length;)
            {
                int length = (int)Math.Min(area.Length - done, PieceSize - MigrationStream.MemoryHeaderSize);
                PutMemory(region, area.Offset + done, length);
                yield return Finish();
                done += (ulong)length;
            }
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
            throw new InvalidOperationException($"{_deviceState.GetType().Name} says it saved {count} bytes where there is room for {room.Length}.");
        if (count == 0)
            return false;
        _savedDeviceState = true;
        Begin(MigrationRecord.DeviceState, count);
        return Finish();
    }

    private void PutMemory(Region region, ulong offset, int length)
    {
        Span<byte> record = Begin(MigrationRecord.Memory, MigrationStream.MemoryHeaderSize + length);
        BinaryPrimitives.WriteUInt64LittleEndian(record, (uint)region.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(record[8..], offset);
        region.Memory!.Span(offset, length).CopyTo(record[MigrationStream.MemoryHeaderSize..]);
    }

    private Span<byte> Begin(MigrationRecord kind, int length)
    {
        int size = MigrationStream.RecordHeaderSize + length;
        if (size > _bytes.Length)
            _bytes = new byte[size]; // a device of very many registers
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
