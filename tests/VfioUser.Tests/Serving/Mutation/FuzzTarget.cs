using VfioUser.Protocol;
using VfioUser.Tests.Polling;

namespace VfioUser.Tests.Serving;

/// <summary>A device behind a server, and what a client has to know to move it.</summary>
internal sealed class FuzzTarget : IDisposable
{
    private readonly VfioUserServer _server;
    private readonly Task _running;

    public FuzzTarget(FuzzedDevice device, bool preCopy, FuzzLog log, Coverage coverage, ServedBy by)
    {
        string name = $"vfio-user-test-{Guid.NewGuid():N}";
        coverage.Add(name, device);
        Device = device;
        _server = VfioUserServer.BindAbstract(name, new VfioUserServerOptions
        {
            DmaTimeout = TimeSpan.FromMilliseconds(1),
            Logger = log,
            MeterFactory = coverage,
            Name = name,
            PreCopyInfo = true,
        });
        _running = by == ServedBy.OwnThread ? _server.RunAsync(device) : Polled.RunAsync(_server, device);
        Scripts = Serving.Scripts.For(Save(), preCopy);
    }

    public FuzzedDevice Device { get; }

    public string Address => _server.Address;

    public byte[][][] Scripts { get; }

    /// <summary>A fresh client finds everything as it should be: the server, and what it keeps for a client.</summary>
    public void ShouldServe()
    {
        using RawClient fresh = RawClient.Connect(Address);
        Served.Negotiate(fresh);
        Device.Calm();
        fresh.ShouldBeServed();
        Ask(fresh, Corpus.StartLogging(0x1000)).ShouldBegin<DeviceFeature>(out _);
        Ask(fresh, Corpus.Report(0, Corpus.FileSize, 0x1000)).ShouldBeRefused(Errno.ENOENT);
        Ask(fresh, Corpus.SetState(MigrationState.StopCopy)).ShouldBegin<DeviceFeature>(out _);
        Ask(fresh, Corpus.ReadState(16)).ShouldBegin<MigrationData>(out _).Size.Should().Be(16);
    }

    public void Dispose()
    {
        _server.Dispose();
        _running.ShouldGive();
        Device.Dma.Regions.Should().BeEmpty();
    }

    private byte[] Save()
    {
        using RawClient client = RawClient.Connect(Address);
        Served.Negotiate(client);
        Device.Calm();
        Ask(client, Corpus.SetState(MigrationState.StopCopy)).ShouldBegin<DeviceFeature>(out _);
        uint size = Ask(client, Corpus.ReadState(0x1_0000)).ShouldBegin<MigrationData>(out byte[] saved).Size;
        size.Should().BeLessThan(0x1_0000);
        return saved[..(int)size];
    }

    private static RawReply Ask(RawClient client, byte[] message)
    {
        client.SayBytes(message);
        return client.HearReply(1, WireFormat.Read<MessageHeader>(message).Command);
    }
}
