using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What is told of a client at the level that loggers have by default.</summary>
public sealed class SessionLogTests
{
    private const int Detached = 3;
    private const int Negotiated = 6;
    private const int FirstRefused = 91;
    private const int RefusedInAll = 92;

    private static readonly string Own = string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId}, user ");

    // the server is gone, so everything was told
    private static List<LogEntry> ToldOf(Action<Served> happens, VfioUserServerOptions? options = null)
    {
        Served served = Served.Start(options);
        using (served)
            happens(served);
        return [.. served.Log.Entries.Where(entry => entry.Level >= LogLevel.Information && entry.Id != 1)];
    }

    [Fact]
    public void A_session_without_errors_is_two_lines()
    {
        List<LogEntry> told = ToldOf(served =>
        {
            using (RawClient client = served.Attach())
                client.ShouldBeServed();
            served.Device.ShouldTell("attached");
            served.Device.ShouldTell("detached");
        });

        told.Select(entry => entry.Id).Should().Equal(Negotiated, Detached);
        told[0].Text.Should().Contain(Own).And.Contain("version 0.0").And.Contain("\"max_msg_fds\":16").And.Contain("\"migration\":{");
        told[1].Text.Should().Contain(Own).And.Contain("it closed the connection");
    }

    [Fact]
    public void The_reason_of_a_disconnect_is_logged()
    {
        List<RawClient> stays = [];
        Reason(served => stays.Add(served.Attach())).Should().Contain("the server stops");
        stays[0].Dispose();
        Reason(served =>
        {
            served.Connect().Dispose();
            using RawClient next = served.Attach();
        }).Should().Contain("before negotiation");
        Reason(served =>
        {
            using RawClient client = served.Attach();
            client.SayBytes(new byte[16]);
            client.Hear();
            client.ShouldHearTheEnd();
        }).Should().Contain("violated the protocol");
        Reason(served =>
        {
            using RawClient client = served.Connect();
            client.Ask(Command.DeviceReset).ShouldBeRefused(Errno.EINVAL);
            client.ShouldHearTheEnd();
        }).Should().Contain("negotiation failed");
        Reason(served =>
        {
            using RawClient client = served.Connect();
            client.ShouldHearTheEnd();
        }, new VfioUserServerOptions { NegotiationTimeout = TimeSpan.FromMilliseconds(50) }).Should().Contain("negotiation failed");

        static string Reason(Action<Served> happens, VfioUserServerOptions? options = null) =>
            ToldOf(happens, options).First(entry => entry.Id == Detached).Text;
    }

    [Fact]
    public void The_first_refusal_of_a_kind_is_logged_and_the_others_are_counted()
    {
        List<LogEntry> told = ToldOf(served =>
        {
            using RawClient client = served.Attach();
            for (int i = 0; i < 5; i++)
                client.Ask(Command.RegionWrite, new RegionAccess(0, 77, 0)).Header.Error.Should().Be((uint)Errno.EINVAL);
            client.Ask(Command.DmaMap, new DmaMap(4, 0, 0, 0, 0)).Header.Error.Should().Be((uint)Errno.EINVAL);
        });

        told.Where(entry => entry.Id == FirstRefused).Should().HaveCount(2).And.OnlyContain(entry => entry.Level == LogLevel.Warning);
        told.First(entry => entry.Id == FirstRefused).Text.Should().Contain("RegionWrite").And.Contain("EINVAL").And.Contain("32 bytes")
            .And.Contain("EINVAL: the device has no region 77;");
        told.Single(entry => entry.Id == RefusedInAll).Text.Should().Contain("5 RegionWrite EINVAL, 1 DmaMap EINVAL");
    }

    [Fact]
    public void Requests_for_absent_features_are_logged_at_debug_only()
    {
        List<LogEntry> told = ToldOf(served =>
        {
            using RawClient client = served.Attach();
            client.Ask(Command.DeviceGetRegionInfo, new Protocol.RegionInfo(Protocol.RegionInfo.WireSize, 0, 4711, 0, 0, 0)).Header.Error.Should().NotBe(0);
            client.Ask(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, 4711, 0)).Header.Error.Should().NotBe(0);
            client.Ask(Command.DeviceFeature, new DeviceFeature(DeviceFeature.WireSize + 8, DeviceFeatureFlags.Get)).Header.Error.Should().NotBe(0);
        });

        told.Select(entry => entry.Id).Should().Equal(Negotiated, Detached);
    }

    [Fact]
    public void A_client_cannot_fill_the_log_with_refusals()
    {
        List<LogEntry> told = ToldOf(served =>
        {
            using RawClient client = served.Attach();
            for (int i = 0; i < 200; i++)
                client.Ask((Command)(1000 + i)).Header.Error.Should().NotBe(0);
        });

        told.Should().HaveCountLessThan(40);
        told.Single(entry => entry.Id == RefusedInAll).Text.Should().Contain("others");
    }

    [Fact]
    public void Memory_that_is_not_mapped_is_logged_once_for_each_reason()
    {
        List<LogEntry> told = ToldOf(served =>
        {
            using RawClient client = served.Attach();
            using SafeFileHandle sealedFile = Files.Sealed(0x10000);
            using SafeFileHandle unsealed = Files.Unsealed(0x10000);
            using SafeFileHandle nothing = Files.DevNull();
            Map(client, 0x1000, sealedFile);
            Map(client, 0x10000, unsealed);
            Map(client, 0x11000, unsealed);
            Map(client, 0x20000);
            Map(client, 0x21000);
            Map(client, 0x30000, nothing);
            client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x40000, 0x1000)).ShouldBeGranted();
        });

        told.Where(entry => entry.Id == 90).Select(entry => entry.Level).Should().Equal(LogLevel.Warning, LogLevel.Warning, LogLevel.Warning);
        List<string> lines = [.. told.Where(entry => entry.Id == 90).Select(entry => entry.Text)];
        lines[0].Should().Contain("0x10000").And.Contain("4096 bytes").And.Contain("FileIo").And.Contain("not sealed").And.Contain("TrustClientMemory");
        lines[1].Should().Contain("0x20000").And.Contain("Message").And.Contain("no descriptor");
        lines[2].Should().Contain("0x30000").And.Contain("regular file");

        static void Map(RawClient client, ulong address, params ReadOnlySpan<System.Runtime.InteropServices.SafeHandle> file) =>
            client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, address, 0x1000), file).ShouldBeGranted();
    }
}
