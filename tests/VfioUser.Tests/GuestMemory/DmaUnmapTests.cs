using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaUnmapTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public async Task Unmap_waits_for_the_last_access_and_lets_no_new_one_begin()
    {
        using DmaRig rig = new();
        string name = OpenFiles.UniqueName();
        SharedMemory memory = rig.Map(At, 0x1000, name: name);
        OpenFiles.Mappings(name).Should().Be(2, "guest and device have mapped it");
        using ManualResetEventSlim entered = new();
        using ManualResetEventSlim leave = new();

        Task<bool> access = Background.Run<bool>(() => rig.Dma.TryAccess(new Iova(At), 4, writable: true, 0, (bytes, _) =>
        {
            entered.Set();
            leave.Wait(Background.Timeout);
            bytes.Fill(0x42); // crashes if the memory is gone
        }));
        entered.MustComeSoon("the access begins");
        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");

        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeFalse();
        rig.Dma.TryWrite(new Iova(At), (byte)1).Should().BeFalse();
        rig.Dma.TryAccess(new Iova(At), 1, writable: false, 0, (_, _) => { }).Should().BeFalse();
        rig.Dma.TryLease(new Iova(At), 1, writable: false, out _).Should().BeFalse();
        OpenFiles.Mappings(name).Should().Be(2, "the access still needs it");
        unmap.IsCompleted.Should().BeFalse();
        leave.Set();

        (await access.WaitAsync(Background.Timeout)).Should().BeTrue();
        await unmap.WaitAsync(Background.Timeout);
        memory.Slice(0, 4).ToArray().Should().Equal(0x42, 0x42, 0x42, 0x42);
        OpenFiles.Descriptors(name).Should().Be(1);
        rig.Client.Dispose();
        await rig.Serving.WaitAsync(Background.Timeout);
        OpenFiles.Mappings(name).Should().Be(1, "only the guest has it");
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public async Task A_lease_stays_usable_while_the_unmap_waits_for_it(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();

        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");

        lease.TryWrite(8, [1, 2, 3]).Should().BeTrue();
        byte[] back = new byte[3];
        lease.TryRead(8, back).Should().BeTrue();
        back.Should().Equal(1, 2, 3);
        unmap.IsCompleted.Should().BeFalse();
        lease.Dispose();
        await unmap.WaitAsync(Background.Timeout);
        memory.Slice(8, 3).ToArray().Should().Equal(1, 2, 3);
    }

    [Fact]
    public async Task Only_the_regions_of_a_lease_wait_for_it()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Map(At + 0x2000, 0x1000);
        rig.Dma.TryLease(new Iova(At + 0x0FFF), 2, writable: false, out DmaLease lease).Should().BeTrue();

        rig.Client.UnmapDma(At + 0x2000, 0x1000);
        Task unmap = Background.Run(() => rig.Client.UnmapDma(At + 0x1000, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 1, "the unmap begins");
        unmap.IsCompleted.Should().BeFalse();
        lease.Dispose();
        await unmap.WaitAsync(Background.Timeout);
        rig.Client.UnmapDma(At, 0x1000);
    }

    [Fact]
    public void The_device_can_dispose_its_lease_in_the_unmapping_callback()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();
        List<DmaRegion> asked = [];
        rig.Device.WhenUnmapping = region =>
        {
            asked.Add(region);
            rig.Dma.TryRead(region.Address, out byte _).Should().BeFalse("new accesses fail already");
            lease.Dispose();
        };

        rig.Client.UnmapDma(At, 0x1000);

        asked.Should().Equal(new DmaRegion(new Iova(At), 0x1000, true, true, DmaBacking.Mapped));
    }

    [Fact]
    public void An_unmap_of_all_notifies_the_device_of_each_region_before_it_waits()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x2000, writable: false, out DmaLease lease).Should().BeTrue();
        List<ulong> asked = [];
        rig.Device.WhenUnmapping = region =>
        {
            asked.Add(region.Address.Value);
            if (region.Address.Value == At + 0x1000)
                lease.Dispose();
        };

        rig.Client.UnmapAllDma();

        asked.Should().Equal(At, At + 0x1000);
    }

    [Fact]
    public void Memory_can_be_mapped_again_at_the_same_address()
    {
        using DmaRig rig = new();
        for (byte i = 1; i < 20; i++)
        {
            rig.Map(At, 0x1000).Slice(0, 1).Fill(i);
            rig.Dma.TryRead(new Iova(At), out byte value).Should().BeTrue();
            value.Should().Be(i);
            rig.Client.UnmapDma(At, 0x1000);
        }
    }

    [Theory]
    [InlineData(At, 0x0FFFul)]
    [InlineData(At + 1, 0x0FFFul)]
    [InlineData(At - 0x1000, 0x1800ul)]
    [InlineData(At, 0ul)]
    public void Part_of_a_region_cannot_be_unmapped(ulong address, ulong size)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);

        rig.Client.Invoking(client => client.UnmapDma(address, size)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);

        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeTrue();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Memory_that_a_range_took_away_is_never_seen_again(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 0x1000).Slice(0, 1).Fill(1);
        rig.Map(At + 0x3000, 0x1000).Slice(0, 1).Fill(1);

        rig.Client.UnmapDma(At - 0x1000, 0x8000); // more than what is there
        rig.Client.UnmapDma(At - 0x1000, 0x8000); // nothing is there
        rig.Map(At, 0x4000).Slice(0x3000, 1).Fill(2);

        rig.Dma.TryRead(new Iova(At), out byte first).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At + 0x3000), out byte second).Should().BeTrue();
        (first, second).Should().Be(((byte)0, (byte)2), "they are in the new region");
        rig.Dma.Regions.Should().ContainSingle();
    }
}
