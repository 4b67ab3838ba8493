using Microsoft.Extensions.Logging;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaDisconnectTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public async Task A_session_ends_after_the_last_lease_is_disposed()
    {
        WaitLogged waits = new();
        BlankDevice device = new();
        List<string> order = [];
        device.WhenDetached = () => order.Add("detached");
        using DmaRig rig = new(server: new VfioUserServerOptions { Logger = waits }, device: device);
        rig.Map(At, 0x1000).Slice(0, 1).Fill(0x55);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();

        rig.Client.Dispose();
        waits.Happened.MustComeSoon("the server says that it waits");
        byte[] bytes = new byte[1];
        lease.TryRead(0, bytes).Should().BeTrue("mapped memory outlives the client");
        bytes.Should().Equal(0x55);
        order.Add("released");
        lease.Dispose();
        await rig.Serving.WaitAsync(Background.Timeout);

        order.Should().Equal("released", "detached");
    }

    [Fact]
    public async Task A_server_that_is_disposed_does_not_wait_for_a_lease_and_the_lease_stays_safe()
    {
        using DmaRig rig = new();
        string name = OpenFiles.UniqueName();
        rig.Map(At, 0x1000, name: name).Slice(0, 1).Fill(0x66);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();

        rig.Server.Dispose();
        await rig.Serving.WaitAsync(Background.Timeout);

        rig.Dma.Regions.Should().BeEmpty();
        byte[] bytes = new byte[1];
        lease.TryRead(0, bytes).Should().BeTrue();
        bytes.Should().Equal(0x66);
        OpenFiles.Mappings(name).Should().Be(2);
        lease.Dispose();
        OpenFiles.Mappings(name).Should().Be(1, "the last one out unmaps it");
    }

    [Fact]
    public async Task A_server_can_be_disposed_while_an_unmap_waits()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();
        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");

        rig.Server.Dispose();

        await rig.Serving.WaitAsync(Background.Timeout);
        Func<Task> waiting = () => unmap.WaitAsync(Background.Timeout);
        await waiting.Should().ThrowAsync<Client.VfioUserException>("an unmap that did not happen is not confirmed");
        lease.Dispose();
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task An_access_fails_when_the_client_disconnects_without_replying(GuestMemoryKind way)
    {
        using DmaRig rig = new(way, new VfioUserServerOptions { DmaTimeout = TimeSpan.FromMinutes(10) });
        rig.Map(At, 0x1000);
        using ManualResetEventSlim asked = new();
        using ManualResetEventSlim gone = new();
        rig.WhenAsked = () =>
        {
            asked.Set();
            gone.Wait(Background.Timeout);
        };

        Task<bool> read = Background.Run<bool>(() => rig.Dma.TryRead(new Iova(At), out byte _));
        asked.MustComeSoon("the client is asked for the memory");
        Task leaving = Background.Run(rig.Client.Dispose);

        (await read.WaitAsync(Background.Timeout)).Should().BeFalse();
        gone.Set();
        await leaving.WaitAsync(Background.Timeout);
        await rig.Serving.WaitAsync(Background.Timeout);
    }

    private sealed class WaitLogged : ILogger
    {
        private const int UnmapWaits = 12;

        public ManualResetEventSlim Happened { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == UnmapWaits)
                Happened.Set();
        }
    }
}
