using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>A device and its poller, which the test drives step by step on its own thread.</summary>
internal sealed class PollerRig : IDisposable
{
    /// <param name="options">Null for the defaults.</param>
    /// <param name="served">Null for <see cref="Device"/>.</param>
    public PollerRig(VfioUserServerOptions? options = null, PciDevice? served = null)
    {
        Server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", (options ?? new VfioUserServerOptions()) with { Logger = Log });
        Poller = Server.CreatePoller(served ?? Device);
    }

    public ProbeDevice Device { get; } = new();

    public CapturedLog Log { get; } = new();

    public VfioUserServer Server { get; }

    public DevicePoller Poller { get; }

    /// <summary>Whether there is something to do.</summary>
    public bool IsReady => PollCalls.WaitReadable(Poller.Handle, 0);

    public RawClient Connect() => RawClient.Connect(Server.Address);

    /// <summary>A client that has negotiated, which takes no thread but this one.</summary>
    public RawClient Attach(string proposal = Served.QemuProposal)
    {
        RawClient client = Connect();
        ushort id = client.Say(Command.Version, Served.Version(0, 0, proposal));
        Until(PollEvents.Attached);
        RawReply reply = client.HearReply(id, Command.Version);
        if (reply.Fds is not null)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle twin = reply.Fds.Take(0);
            client.Twin = new RawClient(SocketCalls.Duplicate(twin));
        }
        return client;
    }

    /// <summary>Waits for the descriptor and processes, until something has happened.</summary>
    public PollResult Until(PollEvents what, int maxCommands = 64)
    {
        while (true)
        {
            PollCalls.WaitReadable(Poller.Handle, (int)Wait.Bound.TotalMilliseconds).Should().BeTrue("{0} was due", what);
            PollResult result = Poller.Process(maxCommands);
            if ((result.Events & what) != 0)
                return result;
        }
    }

    /// <summary>Processes until there is nothing to do.</summary>
    /// <returns>How many commands were handled.</returns>
    public int UntilIdle()
    {
        int commands = 0;
        while (IsReady)
            commands += Poller.Process().Commands;
        return commands;
    }

    public void Dispose()
    {
        Poller.Dispose();
        Server.Dispose();
        Log.Failures.Should().BeEmpty("no client should bring out a failure of this side");
    }
}
