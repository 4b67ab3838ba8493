using System.Runtime.InteropServices;
using VfioUser;
using VfioUser.Client;
using VfioUser.Nvme;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace Nvme.Driver;

/// <summary>A small NVMe driver for a test guest, with the steps of Linux's driver.</summary>
/// <remarks>One thread, except that each queue may be used by a thread of its own.</remarks>
internal sealed class NvmeDriver : IDisposable
{
    public const uint EnabledConfiguration = 1 | 6 << 16 | 4 << 20;

    private readonly TimeSpan _timeout = TimeSpan.FromSeconds(30);
    private readonly SharedMemory? _doorbells;
    private Iova? _shadow;
    private Iova _eventIndexes;

    /// <param name="guest">Attached to the controller.</param>
    /// <param name="msiX">Whether it uses MSI-X, or else INTx.</param>
    public NvmeDriver(TestGuest guest, bool msiX = true)
    {
        Guest = guest;
        UsesMsiX = msiX;
        guest.StartDriver(msiX ? PciIrqTypes.MsiX : PciIrqTypes.Intx);
        _doorbells = MapDoorbells(guest);
        Admin = new DriverQueue(this, 0, 32, IrqOf(0));
    }

    private NvmeDriver(NvmeDriver source, TestGuest guest)
    {
        Guest = guest;
        UsesMsiX = source.UsesMsiX;
        _doorbells = MapDoorbells(guest);
        (_shadow, _eventIndexes) = (source._shadow, source._eventIndexes);
        Admin = Move(source.Admin);
    }

    public TestGuest Guest { get; }

    public bool UsesMsiX { get; }

    /// <summary>The admin queue, usable once the controller is enabled.</summary>
    public DriverQueue Admin { get; }

    public uint Status => Guest.Bar0.Read<uint>(0x1C);

    public bool IsReady => (Status & 1) != 0;

    public bool HasFailed => (Status & 2) != 0;

    /// <summary>Whether doorbells are on a page that this driver has mapped.</summary>
    public bool HasPollingIntervals => _doorbells is not null;

    /// <summary>Number of doorbell writes by message.</summary>
    public int Rings { get; private set; }

    /// <summary>The driver after its guest has migrated to another host.</summary>
    public static NvmeDriver Moved(NvmeDriver source, TestGuest guest) => new(source, guest);

    /// <summary>A queue of the driver at the source, on this host.</summary>
    public DriverQueue Move(DriverQueue queue) => new(this, queue, IrqOf(UsesMsiX ? queue.Id : 0));

    /// <summary>Configures and enables the controller, and waits until it is ready.</summary>
    public void Enable()
    {
        Admin.Clear();
        Guest.Bar0.Write(0x24, (uint)(Admin.Entries - 1) * 0x0001_0001);
        Guest.Bar0.Write(0x28, Admin.Submissions.Value);
        Guest.Bar0.Write(0x30, Admin.Completions.Value);
        Guest.Bar0.Write(0x14, EnabledConfiguration);
        WaitForStatus(status => (status & 3) != 0);
    }

    /// <summary>Resets the controller by CC.EN, and waits until it is not ready.</summary>
    public void Disable()
    {
        Guest.Bar0.Write(0x14, 0u);
        WaitForStatus(status => (status & 1) == 0);
        _shadow = null;
    }

    /// <summary>Notifies the controller of a shutdown, and waits until it is complete.</summary>
    public void Shutdown()
    {
        Guest.Bar0.Write(0x14, EnabledConfiguration | 1 << 14);
        WaitForStatus(status => (status >> 2 & 3) == 2);
    }

    /// <summary>Creates a queue pair with an interrupt vector of its own.</summary>
    public DriverQueue CreateQueue(ushort id, int entries = 64)
    {
        int vector = UsesMsiX ? id : 0;
        DriverQueue queue = new(this, id, entries, IrqOf(vector));
        Expect(Admin.Execute(NewCommand.CreateCompletionQueue(queue, vector)));
        Expect(Admin.Execute(NewCommand.CreateSubmissionQueue(queue)));
        return queue;
    }

    /// <summary>Deletes a queue pair.</summary>
    public void DeleteQueue(DriverQueue queue)
    {
        Expect(Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteSubmissionQueue, dword10: queue.Id)));
        Expect(Admin.Execute(NewCommand.Admin(AdminOpcode.DeleteCompletionQueue, dword10: queue.Id)));
    }

    /// <summary>Uses shadow doorbells for I/O queues from now on.</summary>
    public void UseShadowDoorbells()
    {
        Iova shadow = Guest.Memory.Allocate(4096);
        Iova events = Guest.Memory.Allocate(4096);
        Guest.Memory.Write(shadow, new byte[4096]);
        Guest.Memory.Write(events, new byte[4096]);
        Expect(Admin.Execute(NewCommand.Admin(AdminOpcode.DoorbellBufferConfig, data: shadow, second: events)));
        (_shadow, _eventIndexes) = (shadow, events);
    }

    /// <summary>What the controller wrote last as the event index of a doorbell.</summary>
    public uint EventIndex(int index) => Guest.Memory.Read<uint>(_eventIndexes + (ulong)index * sizeof(uint));

    /// <summary>The MSI-X vector of this number, or INTx.</summary>
    public GuestIrq IrqOf(int vector) => UsesMsiX ? Guest.MsiX[vector] : Guest.Intx;

    public void RingTail(ushort queue, uint value) => Ring(DoorbellRegisters.TailOf(queue), value);

    public void RingHead(ushort queue, uint value) => Ring(DoorbellRegisters.HeadOf(queue), value);

    /// <summary>Writes a doorbell: its shadow, the mapped page or the register.</summary>
    public void Ring(int index, uint value)
    {
        int at = index * sizeof(uint);
        if (_shadow is { } shadow && index >= 2)
        {
            uint old = Guest.Memory.Read<uint>(shadow + (ulong)at);
            Guest.Memory.Write(shadow + (ulong)at, value);
            Interlocked.MemoryBarrier();
            // write the register only if the change passes the event index
            ushort eventIndex = (ushort)Guest.Memory.Read<uint>(_eventIndexes + (ulong)at);
            if ((ushort)(value - eventIndex - 1) >= (ushort)(value - old))
                return;
        }
        if (_doorbells is not null)
        {
            Volatile.Write(ref MemoryMarshal.AsRef<uint>(_doorbells.Slice((ulong)at, sizeof(uint))), value);
            return;
        }
        Rings++;
        Guest.Bar0.Post(DoorbellRegisters.Offset + at, value);
    }

    public void Dispose() => _doorbells?.Dispose();

    /// <exception cref="InvalidOperationException">The command failed.</exception>
    public static Completion Expect(Completion completion) => completion.Status == VfioUser.Nvme.Status.Success ? completion
        : throw new InvalidOperationException($"Command {completion.CommandId} of queue {completion.SqId} ended with {completion.Status}.");

    /// <summary>Polls CSTS, as drivers do.</summary>
    public void WaitForStatus(Func<uint, bool> condition)
    {
        long end = Environment.TickCount64 + (long)_timeout.TotalMilliseconds;
        while (!condition(Status))
        {
            if (Environment.TickCount64 > end)
                throw new TimeoutException($"CSTS is 0x{Status:x} after {_timeout}.");
            Thread.Yield();
        }
    }

    private static SharedMemory? MapDoorbells(TestGuest guest)
    {
        using ClientRegion region = guest.Client.GetRegionInfo(0);
        return region.Areas.Count == 0 ? null : region.Map(region.Areas[0]);
    }
}
