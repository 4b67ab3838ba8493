using System.Runtime.InteropServices;

namespace VfioUser.Docs.Tests.Tutorial;

/// <summary>One job of the ring: 24 bytes, little-endian.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct Job(ulong Address, uint Length, JobStatus Status, uint Sum, uint Unused)
{
    public const int Size = 24;
}

public enum JobStatus : uint
{
    Waiting,
    Done,
    Fault,
}

/// <summary>Adds up bytes of guest memory: the device of <c>docs/tutorial.md</c>.</summary>
public sealed class ChecksumCard : PciDevice
{
    [Flags]
    public enum Control : uint
    {
        Enable = 1 << 0,
        Reset = 1u << 31,
    }

    [Flags]
    public enum Cause : uint
    {
        Done = 1 << 0,
        Fault = 1 << 1,
    }

    private const uint MaxCount = 1024;
    private const uint MaxLength = 4096;

    private readonly Register<Control> _control;
    private readonly Register<Cause> _cause;
    private readonly Register<ulong> _ring;
    private readonly Register<uint> _count, _head, _tail;
    private readonly Irq _irq;

    public ChecksumCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00FA), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _irq = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        _control = bar0.AddRegister<Control>(0x00, new() { Name = "CONTROL", SelfClearing = Control.Reset, OnWrite = ControlWritten });
        _cause = bar0.AddRegister<Cause>(0x04, new() { Name = "CAUSE", Access = RegisterAccess.WriteOneToClear });
        _ring = bar0.AddRegister<ulong>(0x08, new() { Name = "RING" });
        _count = bar0.AddRegister<uint>(0x10, new() { Name = "COUNT" });
        _head = bar0.AddRegister<uint>(0x14, new() { Name = "HEAD", Access = RegisterAccess.ReadOnly });
        _tail = bar0.AddRegister<uint>(0x18, new() { Name = "TAIL", OnWrite = _ => Work() });
        EnableMigration();
    }

    private void ControlWritten(RegisterWrite<Control> write)
    {
        if (write.Sets(Control.Reset))
            ResetCard();
        else if (write.Sets(Control.Enable))
            Work();
    }

    private void ResetCard()
    {
        _control.Reset();
        _cause.Reset();
        _ring.Reset();
        _count.Reset();
        _head.Reset();
        _tail.Reset();
    }

    private void Work()
    {
        uint count = _count.Value, tail = _tail.Value;
        if (!_control.Value.HasFlag(Control.Enable))
            return;
        if (count is 0 or > MaxCount || tail >= count)
        {
            Signal(Cause.Fault);
            return;
        }
        Cause cause = default;
        for (uint head = _head.Value % count; head != tail; head = (head + 1) % count, _head.Value = head)
        {
            Iova address = new Iova(_ring.Value) + (ulong)head * Job.Size;
            if (!Dma.TryRead(address, out Job job)) // a copy: the driver cannot change it any more
            {
                Signal(Cause.Fault);
                return;
            }
            Job done = Run(job);
            cause |= done.Status is JobStatus.Done ? Cause.Done : Cause.Fault;
            if (!Dma.TryWriteStruct(address, done))
                cause |= Cause.Fault;
        }
        if (cause != default)
            Signal(cause);
    }

    private Job Run(Job job)
    {
        Span<byte> data = stackalloc byte[(int)Math.Min(job.Length, MaxLength)];
        if (job.Length > MaxLength || !Dma.TryRead(new Iova(job.Address), data))
            return job with { Status = JobStatus.Fault };
        uint sum = 0;
        foreach (byte value in data)
            sum += value;
        return job with { Status = JobStatus.Done, Sum = sum };
    }

    private void Signal(Cause cause)
    {
        _cause.SetBits(cause);
        _irq.Trigger();
    }
}
