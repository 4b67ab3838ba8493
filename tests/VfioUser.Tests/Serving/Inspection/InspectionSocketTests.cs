using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving.Inspection;

/// <summary>Who may inspect, and what an inspector can not do.</summary>
[SupportedOSPlatform("linux")]
public sealed class InspectionSocketTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-inspection-");

    private string Address => Path.Combine(_folder.FullName, "inspect");

    private VfioUserServerOptions Options => new() { InspectionPath = Address };

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Only_root_and_the_servers_own_user_may_inspect()
    {
        uint own = Libc.GetEffectiveUserId();

        InspectionListener.IsOwnUserOrRoot(new PeerCredentials(1, own, 12345)).Should().BeTrue();
        InspectionListener.IsOwnUserOrRoot(new PeerCredentials(1, 0, 12345)).Should().BeTrue();
        InspectionListener.IsOwnUserOrRoot(new PeerCredentials(1, own + 1, 0)).Should().BeFalse();
    }

    [Fact]
    public void An_inspector_that_is_not_accepted_is_told_so_and_disconnected()
    {
        PeerCredentials? seen = null;
        using Served served = Served.Start(Options with
        {
            AcceptInspector = peer =>
            {
                seen = peer;
                return false;
            },
        });
        using InspectorClient inspector = new(Address);

        inspector.Hear()!["error"]!.GetValue<string>().Should().Be("this user may not inspect the server");
        inspector.Hear().Should().BeNull();
        seen!.Value.ProcessId.Should().Be(Environment.ProcessId);
        served.Log.Has(19).Should().BeTrue();
    }

    [Fact]
    public void A_server_without_the_option_has_no_inspection_socket_and_counts_nothing()
    {
        using Served served = Served.Start();

        _folder.GetFiles().Should().BeEmpty();
        served.Server.Log.History.Should().BeNull();
        served.Server.Log.Metrics.AreCommandsMetered.Should().BeFalse();
    }

    [Fact]
    public void The_socket_has_the_servers_mode_and_is_removed_with_the_server()
    {
        using (Served.Start(Options with { SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead }))
            File.GetUnixFileMode(Address).Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);

        File.Exists(Address).Should().BeFalse();
    }

    [Fact]
    public void Inspectors_are_disconnected_when_the_server_is_disposed()
    {
        Served served = Served.Start(Options);
        using InspectorClient inspector = new(Address);
        inspector.Show("server")["server"].Should().NotBeNull();

        served.Dispose();

        inspector.Hear().Should().BeNull();
    }

    [Fact]
    public void A_server_whose_inspection_socket_is_taken_listens_nowhere()
    {
        using Served served = Served.Start(Options);
        string other = Path.Combine(_folder.FullName, "device");

        Action bind = () => VfioUserServer.Bind(other, Options);

        bind.Should().Throw<IOException>().WithMessage("*is listening*");
        File.Exists(other).Should().BeFalse();
    }

    [Fact]
    public void A_server_that_does_not_run_says_so()
    {
        using VfioUserServer server = VfioUserServer.Bind(Path.Combine(_folder.FullName, "device"), Options);
        using InspectorClient inspector = new(Address);

        JsonNode facts = inspector.Show("server")["server"]!;

        facts["state"]!.GetValue<string>().Should().Be("Idle");
        facts["device"].Should().BeNull();
        inspector.Show("registers")["registers"]!.AsArray().Should().BeEmpty();
    }

    [Fact]
    public void The_ninth_inspector_is_refused_until_another_one_has_left()
    {
        using Served served = Served.Start(Options);
        List<InspectorClient> inspectors = [.. Enumerable.Range(0, InspectionListener.MaxInspectors).Select(_ => new InspectorClient(Address))];
        inspectors.ForEach(inspector => inspector.Show("server")["server"].Should().NotBeNull());

        using (InspectorClient ninth = new(Address))
        {
            ninth.Hear()!["error"]!.GetValue<string>().Should().Be("8 inspectors are connected, as many as may be");
            ninth.Hear().Should().BeNull();
        }
        inspectors[0].Dispose();
        Deadline deadline = Deadline.After(Wait.Bound);
        while (!IsAccepted())
            deadline.Left.Should().BePositive("a place is free");

        inspectors.ForEach(inspector => inspector.Dispose());

        bool IsAccepted()
        {
            using InspectorClient next = new(Address);
            next.Say("{\"show\":\"server\"}\n");
            return next.Hear()!["server"] is not null;
        }
    }

    [Theory]
    [InlineData("", "a request is a line*")]
    [InlineData("null", "a request is a JSON object")]
    [InlineData("{", "a request is a line*")]
    [InlineData("[]", "a request is a line*")]
    [InlineData("{}", "show is one of server, registers, *")]
    [InlineData("""{"show":"secrets"}""", "show is one of server, registers, *")]
    [InlineData("""{"show":7}""", "a request is a line*")]
    [InlineData("""{"show":"dma","from":-1}""", "from is at least 0")]
    [InlineData("""{"show":"dma","from":99999999999}""", "a request is a line*")]
    public void A_bad_request_is_answered_with_an_error_and_the_next_one_is_served(string request, string error)
    {
        using Served served = Served.Start(Options);
        using InspectorClient inspector = new(Address);

        inspector.Ask(request)["error"]!.GetValue<string>().Should().Match(error);
        inspector.Show("server")["server"].Should().NotBeNull();
    }

    [Fact]
    public void Several_requests_may_come_in_one_piece_and_one_in_several()
    {
        using Served served = Served.Start(Options);
        using InspectorClient inspector = new(Address);

        inspector.Say("{\"show\":\"dma\"}\n{\"show\":\"irqs\"}\n{\"sho");
        inspector.Hear()!["dma"].Should().NotBeNull();
        inspector.Hear()!["irqs"].Should().NotBeNull();
        inspector.Say("w\":\"refusals\"}\n");

        inspector.Hear()!["refusals"].Should().NotBeNull();
    }

    [Fact]
    public void An_endless_line_is_refused_and_ends_the_connection()
    {
        using Served served = Served.Start(Options);
        using InspectorClient inspector = new(Address);

        inspector.Say(new string('x', Inspector.MaxRequest));

        inspector.Hear()!["error"]!.GetValue<string>().Should().Be("a request has at most 1024 bytes");
        inspector.Hear().Should().BeNull();
    }

    [Fact]
    public void An_inspector_that_reads_nothing_disturbs_neither_the_session_nor_other_inspectors()
    {
        using Served served = Served.Start(Options);
        using RawClient client = served.Attach();
        using InspectorClient silent = new(Address);
        // until the server takes no more requests, since it waits with an answer
        silent.Socket.Blocking = false;
        SocketError error;
        do
            silent.Socket.Send("{\"show\":\"server\"}\n"u8, SocketFlags.None, out error);
        while (error == SocketError.Success || PollCalls.WaitWritable(silent.Socket.SafeHandle, 50));

        client.ShouldBeServed();
        using InspectorClient other = new(Address);
        other.Show("server")["server"]!["state"]!.GetValue<string>().Should().Be("Attached");
    }
}
