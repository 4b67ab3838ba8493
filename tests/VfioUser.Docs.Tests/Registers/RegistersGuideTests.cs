using System.Text;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Registers;

public class RegistersGuideTests
{
    [Fact]
    public void Registers_are_tested_by_their_names()
    {
        Nic nic = new();
        using var guest = TestGuest.Attach(nic, new() { Strict = true });

        guest.Registers["IMS"].Write(1 << 2);
        guest.Registers["CTRL"].Write("SetLinkUp", 1);

        guest.Registers["STATUS"].Describe().Should().Be("STATUS = 0x00000082 (LU SPEED=Gbps1)");
        guest.MsiX[0].WaitForNext();
        guest.Registers["ICR"].Read().Should().Be(1 << 2);
        guest.Registers["ICR"].Read().Should().Be(0, "a read clears it");
    }

    [Fact]
    public async Task A_server_provides_the_names_of_registers_to_clients()
    {
        string path = Path.Combine(Path.GetTempPath(), $"vfio-user-nic-{Guid.NewGuid():N}.sock");
        using Nic nic = new();
        using VfioUserServer server = VfioUserServer.Bind(path, new() { RegisterMap = true });
        Task run = server.RunAsync(nic);

        using (VfioUserClient client = VfioUserClient.Connect(path))
        {
            using ClientRegion map = client.GetRegionInfo(9);
            map.Type.Should().Be(new RegionType(0x80001b36, 0x5265674d));
            byte[] json = new byte[map.Size];
            client.ReadRegion(9, 0, json);
            Encoding.UTF8.GetString(json).Should().StartWith("""{"version":1,"registers":[{"name":"CTRL","region":0,"offset":0,"width":4,"access":"RW, SC",""")
                .And.Contain("""{"name":"SPEED","bit":6,"width":2,"access":"RO","members":{"Mbps10":0,"Mbps100":1,"Gbps1":2}}""");
        }
        server.Dispose();
        await run;
    }

    [Fact]
    public void A_reset_of_the_card_resets_its_blocks()
    {
        Nic nic = new();
        using var guest = TestGuest.Attach(nic);
        guest.Registers["RX[2].TAIL"].Write(7);
        guest.Registers["RX[2].BASE"].Write(0x1234_5678);

        RegisterDump before = RegisterDump.Of(nic);
        guest.Registers["CTRL"].Write((ulong)Nic.Control.Reset);

        before.Diff(RegisterDump.Of(nic)).Should().Be(
            "RX[2].BASE: 0x0000000012345000 -> 0x0000000000000000\nRX[2].TAIL: 0x00000007 -> 0x00000000\n");
        nic.Queues[2].Written.Should().Equal((2, 0u, 7u));
    }

    [Fact]
    public void A_mask_is_set_at_one_place_and_cleared_at_another()
    {
        using var guest = TestGuest.Attach(new Nic());

        guest.Registers["IMS"].Write(0xF0);
        guest.Registers["IMC"].Write(0x30);

        guest.Registers["IMS"].Read().Should().Be(0xC0);
    }

    [Fact]
    public void Statistics_arrays_and_banks_hold_what_they_should()
    {
        Nic nic = new();
        using var guest = TestGuest.Attach(nic);
        nic.Received(64);
        nic.Received(100);
        guest.Registers["MTA[1]"].Write(0x10);
        guest.Registers["SELECT"].Write(3);
        guest.Registers["RING"].Write(0x5000);

        guest.Registers["STAT[2]"].Read().Should().Be(164);
        guest.Registers["STAT[2]"].Read().Should().Be(0);
        nic.Accepts(36).Should().BeTrue();
        nic.RingOf(3).Should().Be(0x5000);
    }

    [Fact]
    public void A_reference_is_made_of_the_device() =>
        RegisterReference.ToMarkdown(new Nic()).Should().Contain("| 0xc0 | ICR | 4 | W1C, RC | 0x0 |  |");
}
