using VfioUser.Protocol;

namespace VfioUser.Tests;

/// <summary>A device with a bit of everything that a migration carries, and a diary.</summary>
internal sealed class MovingDevice : PciDevice, IMigrationState
{
    private int _given;
    private int _taken;

    public MovingDevice(bool preCopy = true, ushort device = 0x00F2, bool secondRegister = true, int irqs = 3)
        : base(new PciId(Vendor: 0x1B36, Device: device), PciClass.Other)
    {
        Bar bar = AddBar(0, BarKind.Memory32, 0x4000);
        Counter = bar.AddRegister<uint>(0);
        if (secondRegister)
            Status = bar.AddRegister<ulong>(8, RegisterAccess.ReadOnly);
        Irqs = bar.AddMsiX(0x1000, irqs);
        Shared = bar.ShareMemory(new MemoryArea(0x2000, 0x2000));
        Pin = AddIntx();
        Config.AddField<uint>(0x80, 0, writeMask: uint.MaxValue);
        EnableMigration(this, new() { PreCopy = preCopy });
    }

    public Register<uint> Counter { get; }

    public Register<ulong>? Status { get; }

    public IrqVectors Irqs { get; }

    public Intx Pin { get; }

    public RegionMemory Shared { get; }

    public byte[] Own { get; set; } = [];

    public List<string> Diary { get; } = [];

    /// <summary>Entries of the diary at which to throw what is said.</summary>
    public Dictionary<string, Exception> Throws { get; } = [];

    public DmaRegion? Mapped { get; private set; }

    public Action? WhenStarted { get; set; }

    /// <summary>What it says of its size; null for the truth.</summary>
    public MigrationEstimate? Estimated { get; set; }

    // it gives half of what there is while it runs
    public MigrationEstimate Estimate() => Estimated ?? new MigrationEstimate(Own.Length - _given, Math.Max(Own.Length / 2 - _given, 0));

    public void BeginSave()
    {
        _given = 0;
        Note("BeginSave");
    }

    public int Save(Span<byte> destination, bool stopped)
    {
        if (Throws.TryGetValue("Save", out Exception? exception))
            throw exception;
        // while it runs, only half of what there is
        int count = Math.Min(destination.Length, (stopped ? Own.Length : Own.Length / 2) - _given);
        Own.AsSpan(_given, count).CopyTo(destination);
        _given += count;
        return count;
    }

    public void EndSave() => Note("EndSave");

    public void BeginRestore()
    {
        _taken = 0;
        Own = [];
        Note("BeginRestore");
    }

    public void Restore(ReadOnlySpan<byte> source)
    {
        if (Throws.TryGetValue("Restore", out Exception? exception))
            throw exception;
        _taken += source.Length;
        Own = [.. Own, .. source];
    }

    public void EndRestore() => Note("EndRestore");

    protected override void OnStopped() => Note("OnStopped");

    protected override void OnStarted()
    {
        Note("OnStarted");
        WhenStarted?.Invoke();
    }

    protected override void OnReset(ResetReason reason) => Note("OnReset");

    protected override void OnDmaMapped(DmaRegion region) => Mapped = region;

    private void Note(string entry)
    {
        Diary.Add(entry);
        if (Throws.TryGetValue(entry, out Exception? exception))
            throw exception;
    }
}

/// <summary>Only what the library knows.</summary>
internal sealed class PlainDevice : PciDevice
{
    public PlainDevice(bool migration = true)
        : base(new PciId(0x1B36, 0x00F3), PciClass.Other)
    {
        Value = AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0);
        if (migration)
            EnableMigration();
    }

    public Register<uint> Value { get; }
}

internal static class ClientFeatures
{
    /// <summary>Sends DEVICE_FEATURE as it stands, and tells what the server answers.</summary>
    public static (Errno Errno, byte[] Payload) Feature(this Client.VfioUserClient client, uint argsz, uint flags, params byte[] data)
    {
        byte[] request = [.. BitConverter.GetBytes(argsz), .. BitConverter.GetBytes(flags), .. data];
        return client.Try(Command.DeviceFeature, request);
    }

    public static (Errno Errno, byte[] Payload) Try(this Client.VfioUserClient client, Command command, byte[] request)
    {
        try
        {
            using Reply reply = client.Call(command, request);
            return (Errno.None, reply.Payload.ToArray());
        }
        catch (Client.VfioUserException e)
        {
            return (e.Errno, []);
        }
    }

    /// <summary>Brings a device that runs into any state, the failed one included.</summary>
    public static void BringTo(this Testing.TestGuest guest, MigrationState state)
    {
        guest.Migration.SetState(state == MigrationState.Error ? MigrationState.Resuming : state);
        if (state != MigrationState.Error)
            return;
        guest.Migration.Write("V"u8);
        guest.Client.TrySetState(MigrationState.Running).Should().Be(Errno.EINVAL);
    }

    public static Errno TrySetState(this Client.VfioUserClient client, uint state) =>
        client.Feature(16, 2 | (1u << 17), [.. BitConverter.GetBytes(state), 0, 0, 0, 0]).Errno;

    public static Errno TrySetState(this Client.VfioUserClient client, MigrationState state) => client.TrySetState((uint)state);

    public static byte[] MigrationData(uint argsz, uint size, params byte[] data) =>
        [.. BitConverter.GetBytes(argsz), .. BitConverter.GetBytes(size), .. data];
}
