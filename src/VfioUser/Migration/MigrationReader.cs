using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One restore: reads the stream in pieces of any size, and restores the device when it is complete.</summary>
/// <remarks>
/// Command thread. Buffers the records of configuration space, registers and interrupts, which are restored at the end, and
/// whose sizes must match the device's. Device state and shared memory are restored as they arrive.
/// </remarks>
internal sealed class MigrationReader(PciDevice device, StateLayout layout, IMigrationState? deviceState)
{
    private readonly Dictionary<MigrationRecord, byte[]> _records = [];
    private byte[] _buffer = new byte[MigrationHeader.WireSize];
    private Step _step = Step.StreamHeader;
    private uint _left = MigrationHeader.WireSize; // bytes missing in this step
    private uint _checksum = uint.MaxValue;
    private uint _checksumBeforeRecord;
    private MigrationRecord _kind;
    private uint _length;
    private RegionMemory? _memory;
    private ulong _offset;

    private enum Step
    {
        StreamHeader,
        RecordHeader,
        Buffered,
        DeviceState,
        MemoryHeader,
        Memory,
        End,
        Complete,
    }

    /// <summary>What is wrong with the stream; null while it is valid. Once it is set, no more bytes are read.</summary>
    public string? Problem { get; private set; }

    /// <summary>The version of the device that saved it, once the header was read.</summary>
    public int Version { get; private set; }

    private bool IsOlder => Version < device.MigrationOptions.Version;

    private bool IsComplete => _records.Count == layout.OnceCount
        || (IsOlder && _records.Count == layout.OnceCount - 1 && !_records.ContainsKey(MigrationRecord.Timers));

    /// <summary>Reads the next bytes. Exceptions of the device pass through, except <see cref="InvalidDataException"/>.</summary>
    public void Feed(ReadOnlySpan<byte> source)
    {
        while (Problem is null && !source.IsEmpty)
        {
            if (_step == Step.Complete)
            {
                Problem = "more bytes follow its end";
                return;
            }
            ReadOnlySpan<byte> piece = source[..(int)Math.Min((uint)source.Length, _left)];
            Take(piece);
            _checksum = MigrationStream.Checksum(_checksum, piece);
            _left -= (uint)piece.Length;
            source = source[piece.Length..];
            while (_left == 0 && _step != Step.Complete && Problem is null)
                Problem = EndStep();
        }
    }

    /// <summary>Completes the restore: registers, configuration space and interrupts, then the device state.</summary>
    /// <returns>What is wrong with the stream; null if the device is restored.</returns>
    public string? Finish()
    {
        if (Problem is not null || _step != Step.Complete)
            return Problem ?? "it ends too early";
        try
        {
            device.Config.Restore(_records[MigrationRecord.Config]);
            layout.RestoreParts(_records[MigrationRecord.Parts]);
            layout.RestoreIrqs(_records[MigrationRecord.Irqs]);
            layout.RestoreTimers(_records.GetValueOrDefault(MigrationRecord.Timers));
            deviceState?.EndRestore();
            return null;
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }

    private void Take(ReadOnlySpan<byte> piece)
    {
        switch (_step)
        {
            case Step.DeviceState:
                TakeDeviceState(piece);
                break;
            case Step.Memory:
                piece.CopyTo(_memory!.Span((long)_offset, piece.Length));
                _offset += (ulong)piece.Length;
                break;
            default:
                piece.CopyTo(_buffer.AsSpan(_buffer.Length - (int)_left));
                break;
        }
    }

    private void TakeDeviceState(ReadOnlySpan<byte> piece)
    {
        try
        {
            deviceState!.Restore(piece);
        }
        catch (InvalidDataException e)
        {
            Problem = e.Message;
        }
        catch
        {
            Problem = "the device failed to restore it";
            throw;
        }
    }

    private string? EndStep()
    {
        string? problem = null;
        switch (_step)
        {
            case Step.StreamHeader:
                problem = ProblemOfHeader(WireFormat.Read<MigrationHeader>(_buffer));
                break;
            case Step.RecordHeader:
                return BeginRecord(WireFormat.Read<uint>(_buffer), WireFormat.Read<uint>(_buffer.AsSpan(sizeof(uint))));
            case Step.MemoryHeader:
                return BeginMemory(WireFormat.Read<uint>(_buffer), WireFormat.Read<ulong>(_buffer.AsSpan(sizeof(ulong))));
            case Step.Buffered:
                _records[_kind] = _buffer;
                problem = _kind switch
                {
                    MigrationRecord.Parts => layout.ProblemOfParts(_buffer, Version),
                    MigrationRecord.Timers => StateLayout.ProblemOfTimers(_buffer),
                    _ => null,
                };
                break;
            case Step.End:
                _step = Step.Complete;
                if (WireFormat.Read<uint>(_buffer) != _checksumBeforeRecord)
                    return "its checksum is wrong";
                return IsComplete ? null : "it lacks part of the device";
        }
        _checksumBeforeRecord = _checksum;
        Expect(Step.RecordHeader, MigrationStream.RecordHeaderSize);
        return problem;
    }

    private string? BeginRecord(uint kind, uint length)
    {
        _kind = (MigrationRecord)kind;
        _length = length;
        switch (_kind)
        {
            case MigrationRecord.DeviceState:
                (_step, _left) = (Step.DeviceState, length);
                return deviceState is null ? "it has a device state, and this device has none" : null;
            case MigrationRecord.StartOver:
                return StartOver(length);
            case MigrationRecord.Memory:
                Expect(Step.MemoryHeader, MigrationStream.MemoryHeaderSize);
                return length < MigrationStream.MemoryHeaderSize ? "a memory record is too short" : null;
        }
        int size = _kind switch
        {
            MigrationRecord.Config => layout.ConfigSize,
            MigrationRecord.Parts when length <= (uint)layout.MaxPartsSize => (int)length,
            MigrationRecord.Parts => layout.PartsSize,
            MigrationRecord.Irqs => layout.IrqsSize,
            MigrationRecord.Timers when length % TimerSet.StateSize == 0 && length <= (uint)layout.TimersSize && IsOlder => (int)length,
            MigrationRecord.Timers when layout.TimersSize > 0 => layout.TimersSize,
            MigrationRecord.End => MigrationStream.EndSize,
            _ => -1,
        };
        if (size < 0)
            return $"it has a record of unknown kind {kind}";
        if (length != (uint)size)
            return $"its {_kind} record has {length} bytes where this device has {size}";
        Expect(_kind == MigrationRecord.End ? Step.End : Step.Buffered, size);
        return _records.ContainsKey(_kind) ? $"it has two {_kind} records" : null;
    }

    private string? StartOver(uint length)
    {
        if (length != 0 || deviceState is null || _records.Count > 0)
            return "its StartOver record is not valid here";
        try
        {
            deviceState.BeginRestore();
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
        catch
        {
            Problem = "the device failed to begin again";
            throw;
        }
        _checksumBeforeRecord = _checksum;
        Expect(Step.RecordHeader, MigrationStream.RecordHeaderSize);
        return null;
    }

    private string? BeginMemory(uint region, ulong offset)
    {
        uint length = _length - MigrationStream.MemoryHeaderSize;
        _memory = layout.MemoryAt(region, offset, length);
        _offset = offset;
        (_step, _left) = (Step.Memory, length);
        return _memory is null ? $"it has {length} bytes of memory at 0x{offset:x} of region {region}, where this device shares none" : null;
    }

    private string? ProblemOfHeader(in MigrationHeader header)
    {
        if (header.Magic != MigrationStream.Magic)
            return "it is not a stream of this library";
        if (header.Format != MigrationStream.Format)
            return $"it has format {header.Format}, but only {MigrationStream.Format} is supported";
        PciId id = device.Id;
        if ((header.Vendor, header.Device, header.SubsystemVendor, header.Subsystem) != (id.Vendor, id.Device, id.SubsystemVendor, id.Subsystem))
        {
            return $"it was saved by device {header.Vendor:x4}:{header.Device:x4} (subsystem {header.SubsystemVendor:x4}:{header.Subsystem:x4}, " +
                $"revision {header.Revision}), and this device is another";
        }
        Version = header.Version;
        MigrationOptions options = device.MigrationOptions;
        if (header.Version < options.MinimumVersion)
            return $"it was saved by version {header.Version} of the device, and this one restores from {options.MinimumVersion} on";
        return header.Version <= options.Version || header.ReadableFrom <= options.Version
            ? null
            : $"it was saved by version {header.Version} of the device, which needs {header.ReadableFrom} to be restored, and this is {options.Version}";
    }

    private void Expect(Step step, int size)
    {
        _step = step;
        _left = (uint)size;
        // a new one, since _records may keep the previous one
        _buffer = new byte[size];
    }
}
