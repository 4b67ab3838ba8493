namespace VfioUser.Nvme;

/// <summary>The controller's registers. NVMe 1.4 3.1. No memory buffer, no persistent memory, no subsystem reset.</summary>
/// <remarks>Any thread reads and sets; what the guest writes arrives on the Command thread.</remarks>
internal sealed class ControllerRegisters
{
    public const uint Version14 = 0x0001_0400;

    // 127.5 seconds, in halves
    private const uint ReadyTimeout = 255;

    private readonly Register<uint> _csts;
    private readonly Register<uint> _aqa;
    private readonly Register<ulong> _asq;
    private readonly Register<ulong> _acq;
    private readonly Register<uint> _cc;

    /// <param name="bar">The BAR that has them.</param>
    /// <param name="options">Of the controller.</param>
    /// <param name="configurationWritten">Called when the guest wrote CC.</param>
    /// <param name="interrupts">Has the mask.</param>
    public ControllerRegisters(Bar bar, NvmeControllerOptions options, Action configurationWritten, Func<Interrupts> interrupts)
    {
        ulong capabilities = (ulong)(options.QueueEntries - 1) // MQES
            | 1ul << 16 // CQR: queues are contiguous
            | (ulong)ReadyTimeout << 24 // TO: the most there is: a reset waits for commands that wait for a disk
            | 1ul << 37 // CSS: the NVM command set; pages of 4 KiB only, doorbells 4 bytes apart
            | 1ul << 59; // CRMS: ready when the disks are, in the time that CRTO says
        bar.AddRegister<ulong>(0x00, new() { Name = "CAP", Access = RegisterAccess.ReadOnly, ResetValue = capabilities });
        bar.AddRegister<uint>(0x08, new() { Name = "VS", Access = RegisterAccess.ReadOnly, ResetValue = Version14 });
        bar.AddRegister<uint>(0x0C, new() { Name = "INTMS", Migration = RegisterMigration.Skip, OnRead = _ => interrupts().Mask, OnWrite = write => interrupts().SetMask(write.Written) });
        bar.AddRegister<uint>(0x10, new() { Name = "INTMC", Migration = RegisterMigration.Skip, OnRead = _ => interrupts().Mask, OnWrite = write => interrupts().ClearMask(write.Written) });
        _cc = bar.AddRegister<uint>(0x14, new() { Name = "CC", WriteMask = 0x00FF_FFF1, OnWrite = _ => configurationWritten() });
        _csts = bar.AddRegister<uint>(0x1C, new() { Name = "CSTS", Access = RegisterAccess.ReadOnly });
        _aqa = bar.AddRegister<uint>(0x24, new() { Name = "AQA", WriteMask = 0x0FFF_0FFF });
        _asq = bar.AddRegister<ulong>(0x28, new() { Name = "ASQ", WriteMask = ~0xFFFul });
        _acq = bar.AddRegister<ulong>(0x30, new() { Name = "ACQ", WriteMask = ~0xFFFul });
        // of NVMe 2.0. What a stream of an older release has not needs no place in it
        bar.AddRegister<uint>(0x68, new() { Name = "CRTO", Access = RegisterAccess.ReadOnly, ResetValue = ReadyTimeout, Migration = RegisterMigration.Skip });
        NameFields();
    }

    public Configuration Configuration => new(_cc.Value);

    public uint Status
    {
        get => _csts.Value;
        set => _csts.Value = value;
    }

    public bool IsReady => (Status & StatusBits.Ready) != 0;

    public bool HasFailed => (Status & StatusBits.Fatal) != 0;

    public ulong AdminSubmissionQueue => _asq.Value;

    public ulong AdminCompletionQueue => _acq.Value;

    /// <summary>In entries.</summary>
    public uint AdminSubmissionQueueSize => (_aqa.Value & 0xFFF) + 1;

    /// <summary>In entries.</summary>
    public uint AdminCompletionQueueSize => (_aqa.Value >> 16 & 0xFFF) + 1;

    /// <summary>Sets all registers to their values at power-on.</summary>
    public void Reset()
    {
        _cc.Reset();
        _csts.Reset();
        _aqa.Reset();
        _asq.Reset();
        _acq.Reset();
    }

    public void SetStatus(uint bits) => _csts.SetBits(bits);

    /// <summary>In one step: a guest that looks in between must not see a controller that is not shut down.</summary>
    public void ShutdownIsComplete() => _csts.Update(StatusBits.ShutdownMask, StatusBits.ShutdownComplete);

    private void NameFields()
    {
        _cc.AddFlag(0, "EN");
        _cc.AddField<byte>(4, 3, "CSS");
        _cc.AddField<byte>(7, 4, "MPS");
        _cc.AddField<byte>(11, 3, "AMS");
        _cc.AddField<byte>(14, 2, "SHN");
        _cc.AddField<byte>(16, 4, "IOSQES");
        _cc.AddField<byte>(20, 4, "IOCQES");
        _csts.AddFlag(0, "RDY");
        _csts.AddFlag(1, "CFS");
        _csts.AddField<byte>(2, 2, "SHST");
        _aqa.AddField<ushort>(0, 12, "ASQS");
        _aqa.AddField<ushort>(16, 12, "ACQS");
    }
}

/// <summary>CSTS. NVMe 1.4 3.1.6.</summary>
internal static class StatusBits
{
    public const uint Ready = 1 << 0;
    public const uint Fatal = 1 << 1;
    public const uint ShutdownOccurring = 1 << 2;
    public const uint ShutdownComplete = 2 << 2;
    public const uint ShutdownMask = 3 << 2;
}

/// <summary>CC. NVMe 1.4 3.1.5.</summary>
internal readonly record struct Configuration(uint Value)
{
    public bool Enabled => (Value & 1) != 0;

    public bool WantsShutdown => (Value >> 14 & 3) != 0;

    /// <summary>Whether entries of I/O queues have the supported sizes: 64 and 16 bytes.</summary>
    public bool HasEntrySizes => (Value >> 16 & 0xF) == 6 && (Value >> 20 & 0xF) == 4;

    /// <summary>Whether the controller supports command set, page size and arbitration.</summary>
    public bool IsSupported => (Value >> 4 & 7) == 0 && (Value >> 7 & 0xF) == 0 && (Value >> 11 & 7) == 0;
}
