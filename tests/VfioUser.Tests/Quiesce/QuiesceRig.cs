using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Polling;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>A resting device behind a server, with what its clients say.</summary>
internal sealed class QuiesceRig : IDisposable
{
    public const ulong Page = 0x1000;
    public const ulong Mapped = 0x10000;
    public const ulong Fresh = 0x20000;

    public QuiesceRig(QuiescingDevice? device = null, ServedBy by = ServedBy.OwnThread)
    {
        Device = device ?? new QuiescingDevice();
        Server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", new VfioUserServerOptions
        {
            Logger = Log,
            OnDeviceException = context => Threw.Enqueue(context),
            DmaTimeout = Wait.Bound,
        });
        Running = by == ServedBy.OwnThread ? Server.RunAsync(Device) : Polled.RunAsync(Server, Device);
    }

    public QuiescingDevice Device { get; }

    public VfioUserServer Server { get; }

    public Task Running { get; }

    public CapturedLog Log { get; } = new();

    public ConcurrentQueue<DeviceExceptionContext> Threw { get; } = new();

    /// <summary>A client that has one page mapped, and a device whose diary is empty.</summary>
    public RawClient Attach(string proposal = Served.QemuProposal)
    {
        RawClient client = RawClient.Connect(Server.Address);
        Served.Negotiate(client, proposal);
        using SafeFileHandle file = Files.Sealed(Page);
        client.Ask(Command.DmaMap, Map(Mapped), file).ShouldBeGranted();
        Device.Forget();
        return client;
    }

    /// <summary>Commands that require a quiesced device; valid at any time.</summary>
    public ushort Say(RawClient client, string what, MessageFlags flags = MessageFlags.Command) => Say(Device, client, what, flags);

    public static ushort Say(QuiescingDevice device, RawClient client, string what, MessageFlags flags = MessageFlags.Command)
    {
        switch (what)
        {
            case "reset":
                return client.Say(Command.DeviceReset, default, flags);
            case "flr":
                return client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess((ulong)device.ResetControl - 1, (uint)RegionIndex.Config, 2), [0, 0x80]), flags);
            case "flr by multi":
                return client.Say(Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(3), [.. Write(1), .. ResetByMulti(device), .. Write(2)]), flags);
            case "map":
                using (SafeFileHandle file = Files.Sealed(Page))
                    return client.Say(Command.DmaMap, Map(Fresh), flags, file);
            case "unmap":
                return client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Mapped, Page), flags);
            case "unmap all":
                return client.Say(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0), flags);
            case "stop":
                return client.Say(Command.DeviceFeature, State(MigrationState.Stop), flags);
            default:
                throw new ArgumentException(what, nameof(what));
        }
    }

    public static Command CommandOf(string what) => what switch
    {
        "reset" => Command.DeviceReset,
        "flr" => Command.RegionWrite,
        "flr by multi" => Command.RegionWriteMulti,
        "map" => Command.DmaMap,
        "unmap" or "unmap all" => Command.DmaUnmap,
        _ => Command.DeviceFeature,
    };

    public static QuiesceReason ReasonOf(string what) => what switch
    {
        "reset" or "flr" or "flr by multi" => QuiesceReason.Reset,
        "map" => QuiesceReason.DmaMap,
        "unmap" or "unmap all" => QuiesceReason.DmaUnmap,
        _ => QuiesceReason.Migration,
    };

    /// <summary>What the device is told when the command is carried out, without the rest around it.</summary>
    public static string[] CallsOf(string what) => what switch
    {
        "reset" => ["reset ClientRequested"],
        "flr" or "flr by multi" => ["reset FunctionLevel"],
        "map" => ["mapped"],
        "unmap" or "unmap all" => ["unmapping"],
        _ => ["stopped"],
    };

    public static DmaMap Map(ulong address) =>
        new(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, address, Page);

    public static byte[] State(MigrationState state, DeviceFeatureFlags method = DeviceFeatureFlags.Set) => RawClient.Bytes(
        new DeviceFeature(16, method | (DeviceFeatureFlags)DeviceFeatureId.MigDeviceState), RawClient.Bytes(new MigrationDeviceState(state, 0)));

    /// <summary>Writes the register, which the device tells.</summary>
    public static byte[] Write(uint value) =>
        RawClient.Bytes(new RegionWriteMultiEntry(0, (uint)RegionIndex.Bar0, sizeof(uint), value));

    public static byte[] ResetByMulti(QuiescingDevice device) => RawClient.Bytes(new RegionWriteMultiEntry((ulong)device.ResetControl, (uint)RegionIndex.Config, 1, 0x80));

    /// <summary>Waits for an entry of the diary.</summary>
    public void ShouldTell(string what) =>
        SpinWait.SpinUntil(() => Device.Diary.Contains(what, StringComparer.Ordinal), Wait.Bound).Should().BeTrue("{0} should happen, not only {1}", what, string.Join(", ", Device.Diary));

    public void Dispose()
    {
        Server.Dispose();
        Running.ShouldEnd();
        Log.Failures.Should().BeEmpty("no client should bring out a failure of this side");
    }
}
