using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Hosts;

/// <summary>Clients that are asked to release a device before they can hear it.</summary>
public sealed class RequestRemovalTests : IDisposable
{
    private readonly VfioUserHost _host = new(new VfioUserHostOptions { Threads = 1 });
    private readonly HostedDevice _hosted;
    private readonly EventFd _request = new();

    public RequestRemovalTests() =>
        _hosted = _host.Add(new ProbeDevice(), VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}"));

    [Fact]
    public void Client_that_negotiates_is_asked_when_it_has_set_the_interrupt()
    {
        using RawClient client = RawClient.Connect(_hosted.Address);
        SpinWait.SpinUntil(() => _hosted.State == ServingState.Negotiating, Wait.Bound).Should().BeTrue();
        Task removal = _hosted.RequestRemovalAsync();

        Served.Negotiate(client);
        SetInterrupt(client);

        _request.Wait(Wait.Bound).Should().BeTrue();
        removal.IsCompleted.Should().BeFalse();
        client.Dispose();
        removal.ShouldGive();
    }

    [Fact]
    public void Client_that_resets_the_device_before_it_sets_the_interrupt_is_asked()
    {
        using RawClient client = Attach();
        Task removal = _hosted.RequestRemovalAsync();

        client.Ask(Command.DeviceReset).ShouldBeGranted();
        SetInterrupt(client);

        _request.Wait(Wait.Bound).Should().BeTrue();
        client.Dispose();
        removal.ShouldGive();
    }

    [Fact]
    public void Client_is_not_asked_for_a_removal_that_was_given_up()
    {
        using RawClient client = Attach();
        using CancellationTokenSource impatient = new();
        Task first = _hosted.RequestRemovalAsync(impatient.Token);
        impatient.Cancel();
        first.ShouldEnd();

        SetInterrupt(client);
        client.ShouldBeServed();

        _request.Wait(TimeSpan.Zero).Should().BeFalse();
    }

    [Fact]
    public void Client_is_asked_while_one_of_two_removals_is_not_given_up()
    {
        using RawClient client = Attach();
        using CancellationTokenSource impatient = new();
        Task first = _hosted.RequestRemovalAsync(impatient.Token);
        Task second = _hosted.RequestRemovalAsync();
        impatient.Cancel();
        first.ShouldEnd();

        SetInterrupt(client);

        _request.Wait(Wait.Bound).Should().BeTrue();
        client.Dispose();
        second.ShouldGive();
    }

    public void Dispose()
    {
        _host.Dispose();
        _request.Dispose();
    }

    private RawClient Attach()
    {
        RawClient client = RawClient.Connect(_hosted.Address);
        Served.Negotiate(client);
        client.ShouldBeServed();
        return client;
    }

    private void SetInterrupt(RawClient client) => client.Ask(Command.DeviceSetIrqs,
        new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.Request, 0, 1), _request.Handle).ShouldBeGranted();
}
