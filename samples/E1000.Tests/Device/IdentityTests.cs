using E1000.Device;
using E1000.Tests.Support;
using VfioUser;
using VfioUser.Testing;

namespace E1000.Tests.Device;

public class IdentityTests
{
    [Fact]
    public void Card_is_an_82540EM_with_registers_in_BAR_0_and_a_window_in_BAR_2()
    {
        using Rig rig = new();

        PciFunction function = rig.Guest.Enumerate();

        (function.VendorId, function.DeviceId).Should().Be((0x8086, 0x100E));
        function.Class.Should().Be(PciClass.NetworkEthernet);
        function.Bar(0).Size.Should().Be(0x20000);
        function.Bar(2).Kind.Should().Be(BarKind.Io);
    }

    // what Linux tests with "ethtool -t": the bits that must keep what is written, and those that must not
    [Theory]
    [InlineData(0x0028, 0xFFFFFFFF)]
    [InlineData(0x002C, 0x0000FFFF)]
    [InlineData(0x0030, 0x0000FFFF)]
    [InlineData(0x0038, 0x0000FFFF)]
    [InlineData(0x2820, 0x0000FFFF)]
    [InlineData(0x2804, 0xFFFFFFFF)]
    [InlineData(0x2808, 0x000FFF80)]
    [InlineData(0x2810, 0x0000FFFF)]
    [InlineData(0x2818, 0x0000FFFF)]
    [InlineData(0x0170, 0x0000FFFF)]
    [InlineData(0x0410, 0x3FFFFFFF)]
    [InlineData(0x3804, 0xFFFFFFFF)]
    [InlineData(0x3808, 0x000FFF80)]
    [InlineData(0x2800, 0xFFFFFFF0)]
    [InlineData(0x3800, 0xFFFFFFF0)]
    [InlineData(0x5404, 0x8003FFFF)]
    [InlineData(0x547C, 0x8003FFFF)]
    [InlineData(0x5200, 0xFFFFFFFF)]
    [InlineData(0x53FC, 0xFFFFFFFF)]
    public void Register_keeps_what_can_be_written_and_nothing_else(int offset, uint writable)
    {
        using Rig rig = new();

        foreach (uint pattern in (uint[])[0x5A5A5A5A, 0xA5A5A5A5, 0, uint.MaxValue])
        {
            rig.Guest.Bar0.Write(offset, pattern);
            rig.Guest.Bar0.Read<uint>(offset).Should().Be(pattern & writable);
        }
    }

    [Fact]
    public void Window_reads_and_writes_registers()
    {
        using Rig rig = new();

        rig.Guest.Bar2.Write(0x0, 0x0028u);
        rig.Guest.Bar2.Write(0x4, 0x1234_5678u);

        rig["FCAL"].Should().Be(0x1234_5678);
        rig["FCAL"] = 0x9ABC_DEF0;
        rig.Guest.Bar2.Read<uint>(0x4).Should().Be(0x9ABC_DEF0);
    }

    [Fact]
    public void Reset_through_the_window_resets_registers_and_keeps_the_address_and_the_buffer_split()
    {
        using Rig rig = new Rig().Start();
        ulong address = rig["RA[0]"];
        rig["PBA"] = 0x20;
        rig["RA[0]"] = 0x8000_0000_0000_0001;

        rig.Guest.Bar2.Write(0x0, 0u);
        rig.Guest.Bar2.Write(0x4, (uint)Control.Reset);

        rig["RDLEN"].Should().Be(0);
        rig["IMS"].Should().Be(0);
        (rig["CTRL"] & (ulong)Control.Reset).Should().Be(0);
        rig["RA[0]"].Should().Be(address).And.Be(0x8000_01BB_AA00_5452);
        rig["PBA"].Should().Be(0x0010_0020);
    }

    [Fact]
    public void Flag_names_describe_control_registers()
    {
        using Rig rig = new Rig().Start();

        rig.Guest.Registers["CTRL"].Describe().Should().Be("CTRL = 0x00000041 (FullDuplex SetLinkUp)");
    }
}
