using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaCallbackTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public void A_new_region_is_accessible_in_the_mapped_callback()
    {
        BlankDevice device = new();
        List<DmaRegion> heard = [];
        device.WhenMapped = region =>
        {
            heard.Add(region);
            device.Dma.TryWrite<uint>(region.Address, 0x1234).Should().BeTrue();
        };
        using DmaRig rig = new(device: device);

        SharedMemory memory = rig.Map(At, 0x1000);

        heard.Should().Equal(rig.Dma.Regions);
        memory.Slice(0, 2).ToArray().Should().Equal(0x34, 0x12);
    }

    [Fact]
    public void A_map_for_which_the_device_throws_is_refused()
    {
        List<Exception> hooked = [];
        BlankDevice device = new() { WhenMapped = _ => throw new FormatException() };
        using DmaRig rig = new(server: new VfioUserServerOptions { OnDeviceException = context => hooked.Add(context.Exception) }, device: device);
        string name = OpenFiles.UniqueName();

        rig.Invoking(it => it.Map(At, 0x1000, name: name)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EIO);

        hooked.Should().ContainSingle().Which.Should().BeOfType<FormatException>();
        rig.Dma.Regions.Should().BeEmpty();
        OpenFiles.Descriptors(name).Should().Be(1);
        device.WhenMapped = null;
        rig.Map(At, 0x1000);
        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeTrue();
        End(rig);
        OpenFiles.Mappings(name).Should().Be(1, "only the guest has it");
    }

    [Fact]
    public void Memory_is_unmapped_even_if_the_device_throws()
    {
        List<Exception> hooked = [];
        BlankDevice device = new() { WhenUnmapping = _ => throw new FormatException() };
        using DmaRig rig = new(server: new VfioUserServerOptions { OnDeviceException = context => hooked.Add(context.Exception) }, device: device);
        string name = OpenFiles.UniqueName();
        rig.Map(At, 0x1000, name: name);

        rig.Client.Invoking(client => client.UnmapDma(At, 0x1000)).Should().NotThrow("the region is gone, as the client wanted");

        hooked.Should().ContainSingle().Which.Should().BeOfType<FormatException>();
        rig.Dma.Regions.Should().BeEmpty();
        End(rig);
        OpenFiles.Mappings(name).Should().Be(1);
    }

    [Fact]
    public async Task A_device_that_throws_for_one_region_is_notified_of_the_others_and_their_leases_are_awaited()
    {
        BlankDevice device = new();
        List<ulong> asked = [];
        device.WhenUnmapping = region =>
        {
            asked.Add(region.Address.Value);
            if (region.Address.Value == At)
                throw new FormatException();
        };
        List<string> order = [];
        device.WhenDetached = () => order.Add("detached");
        List<Exception> hooked = [];
        using DmaRig rig = new(server: new VfioUserServerOptions { OnDeviceException = context => hooked.Add(context.Exception) }, device: device);
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Dma.TryLease(new Iova(At + 0x1000), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();

        rig.Client.Dispose();
        Background.MustBecomeTrue(() => asked.Count == 2 || order.Count > 0, "the device hears of both");
        asked.Should().Equal(At, At + 0x1000);
        order.Add("released");
        lease.Dispose();
        await rig.Serving.WaitAsync(Background.Timeout);

        order.Should().Equal("released", "detached");
        hooked.Should().ContainSingle().Which.Should().BeOfType<FormatException>();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Guest_memory_can_be_used_while_the_device_is_reset(GuestMemoryKind way)
    {
        BlankDevice device = new();
        bool? used = null;
        device.WhenReset = _ => used = device.Dma.TryWrite(new Iova(At), (byte)7) && device.Dma.TryRead(new Iova(At), out byte _);
        using DmaRig rig = new(way, device: device);
        SharedMemory memory = rig.Map(At, 0x1000);

        rig.Client.ResetDevice();

        used.Should().BeTrue();
        memory.Slice(0, 1)[0].Should().Be(7);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void A_region_that_is_being_unmapped_is_accessible_by_its_leases_only(GuestMemoryKind way)
    {
        BlankDevice device = new();
        using DmaRig rig = new(way, device: device);
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();
        List<bool> accesses = [];
        device.WhenUnmapping = region =>
        {
            device.WhenUnmapping = null;
            accesses.Add(device.Dma.TryRead(region.Address, out byte _));
            accesses.Add(lease.TryWrite(0, [1]));
            accesses.Add(device.Dma.TryRead(new Iova(At + 0x1000), out byte _));
            lease.Dispose();
        };

        rig.Client.UnmapDma(At, 0x1000);

        accesses.Should().Equal(false, true, true);
    }

    // what is unmapped stays mapped in the process for another map of the same file, until the session is over
    private static void End(DmaRig rig)
    {
        rig.Client.Dispose();
        rig.Serving.Wait(Background.Timeout).Should().BeTrue();
    }
}
