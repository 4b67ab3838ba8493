using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One restore: takes bytes in pieces of any size, and makes a device of them when they are complete.</summary>
/// <remarks>
/// Command thread. Holds no more than the device itself has of registers and the like; the author's bytes and shared
/// memory go where they belong as they come. Registers, configuration space and interrupts change only at the end.
/// </remarks>
internal sealed class MigrationReader(PciDevice device, StateLayout layout, IMigrationState? deviceState)
{
    private readonly Dictionary<MigrationRecord, byte[]> _held = [];
    private byte[] _filling = new byte[MigrationHeader.WireSize];
    private Step _step = Step.StreamHead;
    private uint _left = MigrationHeader.WireSize; // bytes that the step still waits for
    private uint _checksum = uint.MaxValue;
    private uint _checksumBeforeRecord;
    private MigrationRecord _kind;
    private uint _length;
    private RegionMemory? _memory;
    private ulong _offset;

    private enum Step
    {
        StreamHead,
        RecordHeader,
        Held,
        Author,
        MemoryHeader,
        Memory,
        End,
        Complete,
    }

    /// <summary>What is wrong with the stream, once something is: nothing more is taken then.</summary>
    public string? Problem { get; private set; }

    /// <summary>Takes the next bytes. What the author throws passes through, unless it says that the bytes are bad.</summary>
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

    /// <summary>Restores what the library knows and has the author finish, when all has come.</summary>
    /// <returns>What is wrong; null when the device is restored.</returns>
    public string? Finish()
    {
        if (Problem is not null || _step != Step.Complete)
            return Problem ?? "it ends too early";
        device.Config.Restore(_held[MigrationRecord.Config]);
        layout.RestoreParts(_held[MigrationRecord.Parts]);
        layout.RestoreIrqs(_held[MigrationRecord.Irqs]);
        if (_held.TryGetValue(MigrationRecord.Timers, out byte[]? timers))
            layout.RestoreTimers(timers);
        try
        {
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
            case Step.Author:
                TakeDeviceState(piece);
                break;
            case Step.Memory:
                piece.CopyTo(_memory!.Span(_offset, piece.Length));
                _offset += (ulong)piece.Length;
                break;
            default:
                piece.CopyTo(_filling.AsSpan(_filling.Length - (int)_left));
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
            Problem = "the device failed to take it";
            throw;
        }
    }

    private string? EndStep()
    {
        string? problem = null;
        switch (_step)
        {
            case Step.StreamHead:
                problem = ProblemOfHeader(WireFormat.Read<MigrationHeader>(_filling));
                break;
            case Step.RecordHeader:
                return BeginRecord(WireFormat.Read<uint>(_filling), WireFormat.Read<uint>(_filling.AsSpan(sizeof(uint))));
            case Step.MemoryHeader:
                return BeginMemory(WireFormat.Read<uint>(_filling), WireFormat.Read<ulong>(_filling.AsSpan(sizeof(ulong))));
            case Step.Held:
                _held[_kind] = _filling;
                problem = _kind switch
                {
                    MigrationRecord.Parts => layout.ProblemOfParts(_filling),
                    MigrationRecord.Timers => StateLayout.ProblemOfTimers(_filling),
                    _ => null,
                };
                break;
            case Step.End:
                _step = Step.Complete;
                if (WireFormat.Read<uint>(_filling) != _checksumBeforeRecord)
                    return "its checksum is wrong";
                return _held.Count == layout.OnceCount ? null : "it lacks part of the device";
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
                (_step, _left) = (Step.Author, length);
                return deviceState is null ? "it holds a state of the device's own, and this device has none" : null;
            case MigrationRecord.StartOver:
                return StartOver(length);
            case MigrationRecord.Memory:
                Expect(Step.MemoryHeader, MigrationStream.MemoryHeaderSize);
                return length < MigrationStream.MemoryHeaderSize ? "it holds memory without a place" : null;
        }
        int size = _kind switch
        {
            MigrationRecord.Config => layout.ConfigSize,
            MigrationRecord.Parts => layout.PartsSize,
            MigrationRecord.Irqs => layout.IrqsSize,
            MigrationRecord.Timers when layout.TimersSize > 0 => layout.TimersSize,
            MigrationRecord.End => MigrationStream.EndSize,
            _ => -1,
        };
        if (size < 0)
            return $"it holds a record of kind {kind}, which is not known here";
        if (length != (uint)size)
            return $"its {_kind} record has {length} bytes where this device has {size}";
        Expect(_kind == MigrationRecord.End ? Step.End : Step.Held, size);
        return _held.ContainsKey(_kind) ? $"it holds two {_kind} records" : null;
    }

    private string? StartOver(uint length)
    {
        if (length != 0 || deviceState is null || _held.Count > 0)
            return "it begins again where it cannot";
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
        return _memory is null ? $"it holds {length} bytes of memory at 0x{offset:x} of region {region}, where this device shares none" : null;
    }

    private string? ProblemOfHeader(in MigrationHeader head)
    {
        if (head.Magic != MigrationStream.Magic)
            return "it is no stream of this library's";
        if (head.Version != MigrationStream.Version)
            return $"it has version {head.Version}, and only {MigrationStream.Version} is read here";
        if (head == MigrationStream.HeaderOf(device))
            return null;
        return $"it was saved by device {head.Vendor:x4}:{head.Device:x4} (subsystem {head.SubsystemVendor:x4}:{head.Subsystem:x4}, " +
            $"revision {head.Revision}), and this is another";
    }

    private void Expect(Step step, int size)
    {
        _step = step;
        _left = (uint)size;
        // what a record held is kept, and at most one more of its kind is on its way
        _filling = new byte[size];
    }
}
