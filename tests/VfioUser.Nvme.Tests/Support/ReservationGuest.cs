using Nvme.Driver;

namespace VfioUser.Nvme.Tests.Support;

/// <summary>What a driver does with reservations. Its I/O queue is the caller's.</summary>
internal static class ReservationGuest
{
    public const uint Ignore = 1 << 3;

    public static Status SetHost(this SharedDisks.Path path, UInt128 host, bool extended = true)
    {
        Iova page = path.NewPage();
        path.Guest.Memory.Write(page, (ulong)host);
        path.Guest.Memory.Write(page + 8, (ulong)(host >> 64));
        return path.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 0, page, (uint)FeatureId.HostIdentifier, extended ? 1u : 0)).Status;
    }

    /// <summary>An I/O queue of a controller whose host has said who it is.</summary>
    public static DriverQueue QueueOf(this SharedDisks.Path path, UInt128 host, bool extended = true)
    {
        path.SetHost(host, extended).Should().Be(Status.Success);
        return path.Driver.CreateQueue(1);
    }

    public static Status Register(this SharedDisks.Path path, DriverQueue queue, ulong key, uint persistence = 0, uint nsid = 1) =>
        path.Reserve(queue, IoOpcode.ReservationRegister, persistence << 30, 0, key, nsid);

    public static Status Replace(this SharedDisks.Path path, DriverQueue queue, ulong current, ulong key, bool ignore = false) =>
        path.Reserve(queue, IoOpcode.ReservationRegister, 2 | (ignore ? Ignore : 0), current, key);

    public static Status Unregister(this SharedDisks.Path path, DriverQueue queue, ulong current, bool ignore = false) =>
        path.Reserve(queue, IoOpcode.ReservationRegister, 1 | (ignore ? Ignore : 0), current, 0);

    public static Status Acquire(this SharedDisks.Path path, DriverQueue queue, ulong current, ReservationType type) =>
        path.Reserve(queue, IoOpcode.ReservationAcquire, (uint)type << 8, current, 0);

    public static Status Preempt(this SharedDisks.Path path, DriverQueue queue, ulong current, ulong preempted, ReservationType type, bool abort = false) =>
        path.Reserve(queue, IoOpcode.ReservationAcquire, (abort ? 2u : 1) | (uint)type << 8, current, preempted);

    public static Status Release(this SharedDisks.Path path, DriverQueue queue, ulong current, ReservationType type) =>
        path.Reserve(queue, IoOpcode.ReservationRelease, (uint)type << 8, current, 0);

    public static Status Clear(this SharedDisks.Path path, DriverQueue queue, ulong current) =>
        path.Reserve(queue, IoOpcode.ReservationRelease, 1, current, 0);

    /// <summary>A command with two keys.</summary>
    public static Status Reserve(this SharedDisks.Path path, DriverQueue queue, IoOpcode opcode, uint dword10, ulong first, ulong second, uint nsid = 1) =>
        queue.Execute(path.Reservation(opcode, dword10, first, second, nsid)).Status;

    public static Command Reservation(this SharedDisks.Path path, IoOpcode opcode, uint dword10, ulong first, ulong second, uint nsid = 1)
    {
        Iova page = path.NewPage();
        path.Guest.Memory.Write(page, first);
        path.Guest.Memory.Write(page + 8, second);
        return NewCommand.Io(opcode, 0, 1, page, nsid: nsid) with { Dword10 = dword10, Dword12 = 0 };
    }

    /// <summary>Reservation Report.</summary>
    public static Reported Report(this SharedDisks.Path path, DriverQueue queue, bool extended = true, uint nsid = 1)
    {
        Iova page = path.NewPage();
        NvmeDriver.Expect(queue.Execute(ReportInto(page, 4096, extended, nsid)));
        byte[] bytes = path.Read(page, 4096);
        int at = extended ? 64 : 24, length = extended ? 64 : 24;
        List<(ushort, bool, UInt128, ulong)> registrants = [];
        for (int i = 0; i < BitConverter.ToUInt16(bytes, 5); i++, at += length)
        {
            registrants.Add((BitConverter.ToUInt16(bytes, at), bytes[at + 2] == 1,
                extended ? new UInt128(BitConverter.ToUInt64(bytes, at + 24), BitConverter.ToUInt64(bytes, at + 16)) : BitConverter.ToUInt64(bytes, at + 8),
                BitConverter.ToUInt64(bytes, extended ? at + 8 : at + 16)));
        }
        return new Reported(BitConverter.ToUInt32(bytes), (ReservationType)bytes[4], bytes[9] == 1, [.. registrants]);
    }

    public static Command ReportInto(Iova page, int length, bool extended = true, uint nsid = 1) =>
        NewCommand.Io(IoOpcode.ReservationReport, 0, 1, page, nsid: nsid) with { Dword10 = (uint)(length / 4 - 1), Dword11 = extended ? 1u : 0, Dword12 = 0 };

    /// <summary>The oldest notice: its number, what it says, its namespace, and how many there are after it.</summary>
    public static (ulong Count, byte Kind, uint Nsid, byte More) ReadNotice(this SharedDisks.Path path)
    {
        byte[] page = path.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, (uint)LogPageId.ReservationNotification | 15 << 16));
        return (BitConverter.ToUInt64(page), page[8], BitConverter.ToUInt32(page, 12), page[9]);
    }

    /// <summary>What a report says.</summary>
    internal sealed record Reported(uint Generation, ReservationType Type, bool IsPersistent, (ushort Controller, bool Holds, UInt128 Host, ulong Key)[] Registrants);
}
