using System.Text.Json.Nodes;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Testing;

namespace VfioUser.Tests.Serving.Inspection;

/// <summary>What the inspection socket tells.</summary>
public sealed class InspectionTests
{
    private readonly string _address = $"@vfio-user-test-{Guid.NewGuid():N}";

    private VfioUserServerOptions Options => new() { InspectionPath = _address, Name = "card" };

    [Fact]
    public void Registers_have_their_stored_values_and_no_code_of_the_device_is_called()
    {
        InspectedDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Server = Options });
        using InspectorClient inspector = new(_address);

        string[] shown = [.. Enumerable.Range(0, 2).SelectMany(_ => inspector.Show("registers")["registers"]!.AsArray()).Select(Line)];

        shown.Should().Equal(Enumerable.Repeat<string[]>(
            [
                "bar0 0x0 CTRL RW 129 0x00000081 (EN SPEED=Faster)",
                "bar0 0x4 ICR RC 5 0x00000005",
                "bar0 0x8 TEMPERATURE RW 7 0x00000007",
                "bar0 0xc QUEUE[0] RW 3 0x0003",
                "bar0 0xc QUEUE[1] RW 3 0x0003",
                "config 0x40 TEST RW 9 0x09",
            ], 2).SelectMany(lines => lines));
        device.Calls.Should().Be(0);
        guest.Bar0.Read<uint>(4).Should().Be(5, "only the guest's read clears it");
        inspector.Show("registers")["registers"]![1]!["value"]!.GetValue<int>().Should().Be(0);
    }

    [Fact]
    public void Many_registers_come_in_several_answers()
    {
        using TestGuest guest = TestGuest.Attach(new InspectedDevice(registers: 2000), new TestGuestOptions { Server = Options });
        using InspectorClient inspector = new(_address);
        List<string> names = [];
        int? next = 0;
        int answers = 0;

        for (; next is { } from; answers++)
        {
            JsonNode answer = inspector.Show("registers", from);
            names.AddRange(answer["registers"]!.AsArray().Select(register => register!["name"]!.GetValue<string>()));
            next = answer["next"]?.GetValue<int>();
        }

        names.Should().HaveCount(2006).And.OnlyHaveUniqueItems();
        answers.Should().Be(2);
    }

    [Fact]
    public void The_client_and_what_was_negotiated_are_shown_until_it_disconnects()
    {
        using Served served = Served.Start(Options);
        using InspectorClient inspector = new(_address);
        inspector.Show("server")["server"]!["client"].Should().BeNull();

        JsonNode server;
        using (RawClient client = served.Attach(Served.TwinProposal))
        {
            client.ShouldBeServed();
            server = inspector.Show("server")["server"]!;
        }

        server["format"]!.GetValue<int>().Should().Be(1);
        server["name"]!.GetValue<string>().Should().Be("card");
        server["address"]!.GetValue<string>().Should().Be(served.Server.Address);
        server["state"]!.GetValue<string>().Should().Be("Attached");
        server["device"]!["type"]!.GetValue<string>().Should().Be(nameof(ProbeDevice));
        server["device"]!["vendor"]!.GetValue<int>().Should().Be(0x1B36);
        server["client"]!["processId"]!.GetValue<int>().Should().Be(Environment.ProcessId);
        server["client"]!["version"]!.GetValue<string>().Should().Be("0.0");
        server["client"]!["twinSocket"]!.GetValue<bool>().Should().BeTrue();
        server["client"]!["proposed"]!.GetValue<string>().Should().Contain("\"max_msg_fds\":16").And.Contain("twin_socket");
        served.Device.ShouldTell("detached");
        using (RawClient next = served.Attach())
        {
            next.ShouldBeServed(); // which it is only when the first one is gone
            JsonNode later = inspector.Show("server")["server"]!;
            later["sessions"]!.GetValue<int>().Should().Be(2);
            later["lastDisconnect"]!.GetValue<string>().Should().Be("it closed the connection");
            later["client"]!["twinSocket"]!.GetValue<bool>().Should().BeFalse();
        }
    }

    [Fact]
    public void Dma_regions_and_interrupts_are_shown()
    {
        using Served served = Served.Start(Options);
        using RawClient client = served.Attach();
        using Microsoft.Win32.SafeHandles.SafeFileHandle memory = Files.Sealed(0x2000);
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x8000, 0x1000)).ShouldBeGranted();
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, 0x1_0000_0000, 0x2000), memory).ShouldBeGranted();
        using InspectorClient inspector = new(_address);

        JsonArray dma = inspector.Show("dma")["dma"]!.AsArray();
        JsonArray irqs = inspector.Show("irqs")["irqs"]!.AsArray();
        JsonNode device = inspector.Show("server")["server"]!["device"]!;

        dma.Select(region => region!.ToJsonString()).Should().Equal(
            """{"address":32768,"length":4096,"readable":true,"writable":false,"backing":"message"}""",
            """{"address":4294967296,"length":8192,"readable":true,"writable":true,"backing":"mapped"}""");
        device["dmaRegions"]!.GetValue<int>().Should().Be(2);
        device["dmaBytes"]!.GetValue<int>().Should().Be(0x3000);
        irqs.Select(irq => irq!.ToJsonString()).Should().Equal(
            """{"type":"intx","first":0,"count":1,"enabled":false,"masked":false,"pending":false}""",
            """{"type":"msi_x","first":0,"count":2048,"enabled":false,"masked":false,"pending":false}""",
            """{"type":"error","first":0,"count":1,"enabled":false,"masked":false,"pending":false}""",
            """{"type":"request","first":0,"count":1,"enabled":false,"masked":false,"pending":false}""");
    }

    [Fact]
    public void The_last_refusals_are_kept_with_their_reasons_beyond_the_session()
    {
        using Served served = Served.Start(Options);
        using (RawClient client = served.Attach())
        {
            for (int i = 0; i < 100; i++)
                client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, default, (ulong)i, 0)).ShouldBeRefused(Errno.EINVAL);
        }
        served.Device.ShouldTell("detached");
        using InspectorClient inspector = new(_address);

        JsonArray refusals = inspector.Show("refusals")["refusals"]!.AsArray();

        refusals.Should().HaveCount(64);
        refusals.Select(refusal => refusal!["number"]!.GetValue<int>()).Should().Equal(Enumerable.Range(37, 64).Reverse());
        refusals.Should().OnlyContain(refusal => refusal!["command"]!.GetValue<string>() == "dma_unmap" && refusal["errno"]!.GetValue<string>() == "EINVAL");
        refusals[0]!["reason"]!.GetValue<string>().Should().Be("0x0 bytes at 0x63 are not a valid range");
    }

    [Fact]
    public void A_refused_client_is_among_the_refusals()
    {
        using Served served = Served.Start(Options with { AcceptPeer = _ => false });
        using (RawClient client = served.Connect())
            client.ShouldHearTheEnd();
        using InspectorClient inspector = new(_address);

        JsonNode refusal = inspector.Show("refusals")["refusals"]!.AsArray().Should().ContainSingle().Subject!;

        refusal["errno"]!.GetValue<string>().Should().Be("EACCES");
        refusal["reason"]!.GetValue<string>().Should().Be($"AcceptPeer refuses process {Environment.ProcessId}, user {Libc.GetEffectiveUserId()}");
    }

    [Fact]
    public void Counters_are_what_clients_and_the_device_did()
    {
        InspectedDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Server = Options });
        Iova address = guest.Place(new byte[100]);
        using InspectorClient inspector = new(_address);
        Dictionary<string, double> before = Counters(inspector);

        for (int i = 0; i < 10; i++)
            guest.Bar0.Read<uint>(0);
        device.Dma.TryWrite(address, new byte[100]).Should().BeTrue();
        device.MsiX[3].Trigger().Should().BeTrue();

        Dictionary<string, double> after = Counters(inspector);
        double Grown(string counter) => after.GetValueOrDefault(counter) - before.GetValueOrDefault(counter);
        Grown("vfio_user.commands region_read").Should().Be(10);
        Grown("vfio_user.command.duration.sum region_read").Should().BePositive();
        Grown("vfio_user.dma.operations mapped write").Should().Be(1);
        Grown("vfio_user.dma.bytes mapped write").Should().Be(100);
        Grown("vfio_user.irqs msi_x").Should().Be(1);
        after["vfio_user.sessions"].Should().Be(1);
    }

    private static Dictionary<string, double> Counters(InspectorClient inspector) => inspector.Show("counters")["counters"]!.AsArray()
        .ToDictionary(counter => string.Join(' ', counter!["tags"]!.AsObject().Select(tag => tag.Value!.GetValue<string>()).Prepend(counter["name"]!.GetValue<string>())),
            counter => counter!["value"]!.GetValue<double>(), StringComparer.Ordinal);

    private static string Line(JsonNode? register) =>
        $"{register!["region"]} 0x{register["offset"]!.GetValue<int>():x} {register["name"]} {register["access"]} {register["value"]} {register["text"]}";
}
