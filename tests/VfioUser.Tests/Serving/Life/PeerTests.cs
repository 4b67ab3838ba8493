using System.Globalization;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Who may attach.</summary>
public sealed class PeerTests
{
    private static uint OwnId(string what) => uint.Parse(
        File.ReadLines("/proc/self/status").First(line => line.StartsWith(what, StringComparison.Ordinal)).Split('\t')[2], CultureInfo.InvariantCulture);

    [Fact]
    public void The_server_gets_the_credentials_of_a_client()
    {
        PeerCredentials? seen = null;
        using Served served = Served.Start(new VfioUserServerOptions
        {
            AcceptPeer = peer =>
            {
                seen = peer;
                return true;
            },
        });

        using RawClient client = served.Attach();

        seen.Should().Be(new PeerCredentials(Environment.ProcessId, OwnId("Uid:"), OwnId("Gid:")));
    }

    [Fact]
    public void A_refused_peer_gets_no_reply_and_the_next_one_is_checked_again()
    {
        int asked = 0;
        using Served served = Served.Start(new VfioUserServerOptions { AcceptPeer = _ => ++asked > 2 });
        using RawClient first = served.Connect();
        using RawClient second = served.Connect();

        first.ShouldHearTheEnd();
        second.ShouldHearTheEnd();
        using RawClient third = served.Attach();

        third.ShouldBeServed();
        served.Device.Diary.Should().Equal("attached");
        served.Log.Entries.Count(entry => entry.Id == CapturedLog.PeerRefused).Should().Be(2);
    }

    [Fact]
    public void A_peer_that_cannot_be_judged_is_refused()
    {
        bool able = false;
        CapturedLog log = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", new VfioUserServerOptions
        {
            AcceptPeer = _ => able ? true : throw new InvalidOperationException("unable"),
            Logger = log,
        });
        Task running = server.RunAsync(new ProbeDevice());

        using (RawClient first = RawClient.Connect(server.Address))
            first.ShouldHearTheEnd();
        able = true;
        using (RawClient second = RawClient.Connect(server.Address))
        {
            Served.Negotiate(second);
            second.ShouldBeServed();
        }
        server.Dispose();
        running.ShouldEnd();

        log.Failures.Should().ContainSingle().Which.Exception!.Message.Should().Be("unable");
    }
}
