using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Options of one run, in place of the server's.</summary>
public sealed class RunOptionsTests
{
    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void Limits_of_a_run_are_those_that_its_clients_meet_and_the_next_run_has_the_servers(ServedBy by)
    {
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", new() { MaxDmaMaps = 2 });
        VfioUserServerOptions one = new() { MaxDmaMaps = 1, RegisterMap = true };
        BlankDevice device = new();
        using CancellationTokenSource stop = new();

        Task first = by == ServedBy.OwnThread
            ? server.RunAsync(device, one, stop.Token)
            : Wait.Start(() =>
            {
                using DevicePoller poller = server.CreatePoller(device, one, stop.Token);
                Polling.Polled.Run(poller, 8);
            });
        MapsOf(server).Should().Be(1);
        stop.Cancel();
        first.ShouldEnd();
        Task second = server.RunAsync(device);

        MapsOf(server).Should().Be(2);
        server.Dispose();
        second.ShouldEnd();
    }

    [Fact]
    public void Options_of_a_run_must_be_there()
    {
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");

        server.Invoking(s => s.Run(new BlankDevice(), options: null!)).Should().Throw<ArgumentNullException>();
    }

    private static int MapsOf(VfioUserServer server)
    {
        using RawClient client = RawClient.Connect(server.Address);
        Served.Negotiate(client);
        for (int maps = 0; ; maps++)
        {
            using SafeFileHandle file = Files.Sealed(0x1000);
            DmaMap map = new(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x10000 * (ulong)(maps + 1), 0x1000);
            if (client.Ask(Command.DmaMap, map, file).Header.Error != 0)
                return maps;
        }
    }
}
