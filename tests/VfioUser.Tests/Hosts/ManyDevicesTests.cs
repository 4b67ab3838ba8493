using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Hosts;

/// <summary>Hundreds of devices in one process, on two threads.</summary>
[Collection(OpenFds.Name)]
public sealed class ManyDevicesTests
{
    private const int Count = 200;

    [Fact]
    public void Two_hundred_devices_on_two_threads_serve_their_clients_and_leave_nothing()
    {
        Serve(devices: 2);
        OpenFds before = OpenFds.Now();

        Serve(Count);

        before.More().Should().BeEmpty();
    }

    private static void Serve(int devices)
    {
        VfioUserHost host = new(new VfioUserHostOptions { Threads = 2 });
        HostedDevice[] hosted = [.. Enumerable.Range(0, devices).Select(_ => host.Add(new ProbeDevice(), VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}")))];
        RawClient[] clients = [.. hosted.Select(device => RawClient.Connect(device.Address))];
        foreach (RawClient client in clients)
            Served.Negotiate(client);

        // all at once, each its own
        for (int round = 0; round < 5; round++)
        {
            for (int i = 0; i < devices; i++)
                clients[i].SayBytes(RawClient.Message((ushort)(i + 1), Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 2), (byte)i, (byte)round)));
            for (int i = 0; i < devices; i++)
                clients[i].HearReply((ushort)(i + 1), Command.RegionWrite);
        }
        hosted.Should().OnlyContain(device => device.State == ServingState.Attached);
        for (int i = 0; i < devices; i++)
            ((ProbeDevice)hosted[i].Device).Memory.Take(2).Should().Equal((byte)i, 4);

        hosted[0].RemoveAsync().ShouldGive();
        clients[0].ShouldHearTheEnd();
        clients[^1].ShouldBeServed();
        host.DisposeAsync().AsTask().ShouldGive();
        foreach (RawClient client in clients)
            client.Dispose();
    }
}
