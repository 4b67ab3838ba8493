using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DeviceRegionTests
{
    private const RegionIndex First = (RegionIndex)9;

    [Fact]
    public void Regions_of_the_device_come_after_the_nine_of_pci()
    {
        OddDevice device = new(d =>
        {
            d.Own(2, 1, 0x100).Index.Should().Be(First);
            d.Own(2, 2, 0x200).Index.Should().Be((RegionIndex)10);
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Client.GetDeviceInfo().RegionCount.Should().Be(11);
        using ClientRegion first = guest.Client.GetRegionInfo(9);
        using ClientRegion second = guest.Client.GetRegionInfo(10);
        first.Size.Should().Be(0x100);
        first.Type.Should().Be(new RegionType(2, 1));
        second.Size.Should().Be(0x200);
        second.Type.Should().Be(new RegionType(2, 2));
    }

    [Fact]
    public void A_region_of_pci_has_no_type()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Bar(0, BarKind.Memory32, 0x1000)));

        using ClientRegion bar = guest.Client.GetRegionInfo(0);

        bar.Type.Should().BeNull();
        bar.Info.Flags.Should().Be(RegionFlags.Read | RegionFlags.Write);
        guest.Client.GetDeviceInfo().RegionCount.Should().Be(9);
    }

    [Fact]
    public void A_vendor_type_has_bit_31_set() =>
        DeviceRegion.VendorType(0x8086).Should().Be(0x8000_8086);

    [Fact]
    public void Accesses_reach_the_handler()
    {
        Recorder recorder = new();
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Own(1, 1, 0x1003, recorder)));

        guest.Region(First).Write(0x1002, (byte)0x5A);
        guest.Region(First).Read<ushort>(0x10).Should().Be(0x1110);

        recorder.Seen.Should().Equal("write 1002 5A", "read 10+2");
    }

    [Theory]
    [InlineData(0x1003, 1)]
    [InlineData(0x1002, 2)]
    [InlineData(-1, 4)]
    public void Accesses_beyond_its_end_are_einval(long offset, int length)
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Own(1, 1, 0x1003)));

        Refusal(() => guest.Region(First).Read(offset, new byte[length])).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Region(First).Write(offset, new byte[length])).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void An_index_behind_the_last_region_is_einval_in_every_command()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Own(1, 1, 0x10)));

        Refusal(() => guest.Client.GetRegionInfo(10)).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Client.GetRegionInfo(uint.MaxValue)).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Client.ReadRegion(10, 0, new byte[1])).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Client.WriteRegion(uint.MaxValue, 0, new byte[1])).Should().Be(Errno.EINVAL);
        guest.Client.GetDeviceInfo().RegionCount.Should().Be(10); // and the session goes on
    }

    [Fact]
    public void A_region_of_no_bytes_exists_and_cannot_be_accessed()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Own(1, 7, 0)));

        using ClientRegion region = guest.Client.GetRegionInfo(9);

        region.Size.Should().Be(0);
        region.Type.Should().Be(new RegionType(1, 7));
        region.Info.Flags.Should().Be(RegionFlags.Caps);
        Refusal(() => guest.Region(First).Read<byte>(0)).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Region(First).Write(0, (byte)1)).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Region(First).Read(0, [])).Should().Be(Errno.EINVAL);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(8)]
    public void A_pci_region_that_the_device_lacks_has_no_bytes(uint index)
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(_ => { }));

        using ClientRegion region = guest.Client.GetRegionInfo(index);

        region.Info.Should().Be(new RegionInfo(32, RegionFlags.None, index, 0, 0, 0));
        Refusal(() => guest.Client.ReadRegion(index, 0, new byte[4])).Should().Be(Errno.EINVAL);
        Refusal(() => guest.Client.WriteRegion(index, 0, new byte[4])).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Areas_and_type_are_chained()
    {
        OddDevice device = new(d => d.Own(3, 4, 0x4000).ShareMemory(new MemoryArea(0x1000, 0x1000), new MemoryArea(0x3000, 0x1000)));
        using TestGuest guest = TestGuest.Attach(device);

        byte[] reply = Ask(guest, index: 9, argsz: 96, out int fds);

        // 32 fixed, 8 + 8 + 2 * 16 areas, 8 + 8 type
        reply.Length.Should().Be(96);
        fds.Should().Be(1);
        WireFormat.Read<RegionInfo>(reply).CapOffset.Should().Be(32);
        WireFormat.Read<RegionCapHeader>(reply.AsSpan(32)).Should().Be(new RegionCapHeader(RegionCapId.SparseMmap, 1, 80));
        WireFormat.Read<SparseMmap>(reply.AsSpan(40)).AreaCount.Should().Be(2);
        WireFormat.Read<RegionCapHeader>(reply.AsSpan(80)).Should().Be(new RegionCapHeader(RegionCapId.Type, 1, 0));
        WireFormat.Read<RegionType>(reply.AsSpan(88)).Should().Be(new RegionType(3, 4));
        using ClientRegion region = guest.Client.GetRegionInfo(9);
        region.Type.Should().Be(new RegionType(3, 4));
        region.Areas.Should().Equal(new SparseMmapArea(0x1000, 0x1000), new SparseMmapArea(0x3000, 0x1000));
    }

    [Theory]
    [InlineData(32)]
    [InlineData(95)]
    public void Capabilities_that_do_not_fit_are_omitted_and_argsz_has_their_size(uint argsz)
    {
        OddDevice device = new(d => d.Own(3, 4, 0x4000).ShareMemory(new MemoryArea(0x1000, 0x1000), new MemoryArea(0x3000, 0x1000)));
        using TestGuest guest = TestGuest.Attach(device);

        byte[] reply = Ask(guest, index: 9, argsz, out int fds);

        reply.Length.Should().Be(32);
        fds.Should().Be(0);
        WireFormat.Read<RegionInfo>(reply).Argsz.Should().Be(96);
        WireFormat.Read<RegionInfo>(reply).CapOffset.Should().Be(0);
    }

    [Fact]
    public void An_argsz_without_room_for_the_fixed_part_is_einval()
    {
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Own(3, 4, 0x4000)));

        Refusal(() => Ask(guest, 9, 31, out _)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void A_mapped_region_shares_its_memory()
    {
        RegionMemory? memory = null;
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => memory = d.Own(3, 4, 0x2000).ShareMemory()));
        using ClientRegion region = guest.Client.GetRegionInfo(9);
        using SharedMemory mapped = region.Map(region.Areas[0]);

        mapped.Slice(0x1FFF, 1)[0] = 0x77;

        memory!.Span(0x1FFF, 1)[0].Should().Be(0x77);
        guest.Region(First).Read<byte>(0x1FFF).Should().Be(0x77);
    }

    [Fact]
    public void A_region_cannot_be_added_while_served()
    {
        OddDevice device = new(_ => { });
        using TestGuest guest = TestGuest.Attach(device);

        Action add = () => device.Own(1, 1, 1);

        add.Should().Throw<InvalidOperationException>();
    }

    internal static Errno Refusal(Action act) => act.Should().Throw<VfioUserException>().Which.Errno;

    private static byte[] Ask(TestGuest guest, uint index, uint argsz, out int fds)
    {
        RegionInfo request = new(argsz, 0, index, 0, 0, 0);
        using Reply reply = guest.Client.Call(Command.DeviceGetRegionInfo, MemoryMarshal.AsBytes(new ReadOnlySpan<RegionInfo>(in request)));
        fds = reply.Fds?.Count ?? 0;
        return reply.Payload.ToArray();
    }
}
