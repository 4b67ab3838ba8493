using VfioUser.Protocol;

namespace VfioUser.Virtio.Tests;

/// <summary>A client that changes its layout of memory unmaps what it moves, and maps it again a moment later: QEMU does it while the
/// firmware shadows ROMs, with the disk that it boots from at work.</summary>
public sealed class MemoryChangeTests
{
    private const ulong Elsewhere = 0x40_0000_0000;

    public static TheoryData<Layout> AllLayouts => Layouts.All;

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Buffers_made_available_meanwhile_are_served_when_the_ring_is_back(Layout layout)
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        VirtioDriverQueue queue = driver.Queues[0];

        for (byte round = 0; round < 10; round++)
        {
            queue.Request([1, round], 2).Should().Equal(round, 1);
            Iova answer = guest.Memory.Allocate(2);
            guest.Memory.Unmap();
            ushort id = queue.Add(new VirtioPart(guest.Place([2, round]), 2, writable: false), new VirtioPart(answer, 2, writable: true));
            queue.Notify();
            for (int i = 0; i < 50 * round; i++) // some time for the worker
                driver.ReadStatus().Should().BeLessThan((byte)VirtioStatus.NeedsReset);

            guest.Memory.Map();

            queue.Take().Id.Should().Be(id);
            guest.Memory.Read<byte>(answer).Should().Be(round);
        }
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Buffers_completed_meanwhile_are_used_when_the_ring_is_back(Layout layout)
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        for (int i = 0; i < 5; i++)
            driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        driver.Queues[0].Notify();
        VirtioChain[] chains = [.. Enumerable.Range(0, 5).Select(_ => device.Held.Take())];

        guest.Memory.Unmap();
        foreach (VirtioChain chain in chains)
            chain.Complete(16);
        device.Status.Should().NotHaveFlag(VirtioStatus.NeedsReset);
        guest.Memory.Map();

        for (int i = 0; i < 5; i++)
            driver.Queues[0].Take().Written.Should().Be(16);
    }

    /// <summary>blktests' block/011 switches bus mastering off and on under load.</summary>
    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Buffers_wait_while_bus_mastering_is_off(Layout layout)
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        VirtioDriverQueue queue = driver.Queues[0];

        for (int round = 0; round < 10; round++)
        {
            ushort first = queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
            queue.Notify();
            VirtioChain chain = device.Held.Take();
            driver.Function.ClearCommand(PciCommands.BusMaster);
            chain.Complete(16);
            ushort second = queue.Add(new VirtioPart(guest.Memory.Allocate(8), 8, writable: true));
            queue.Notify();
            for (int i = 0; i < 50 * round; i++) // some time for the worker
                driver.ReadStatus().Should().BeLessThan((byte)VirtioStatus.NeedsReset);
            queue.TryTake(out _).Should().BeFalse();

            driver.Function.SetCommand(PciCommands.BusMaster);

            VirtioUsed used = queue.Take();
            (used.Id, used.Written).Should().Be((first, 16));
            device.Held.Take().Complete(8);
            used = queue.Take();
            (used.Id, used.Written).Should().Be((second, 8));
        }
    }

    [Fact]
    public void Driver_is_interrupted_when_bus_mastering_is_back_for_messages_that_the_client_has_dropped()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Queues[0].Request([1], 1);
        driver.Function.ClearCommand(PciCommands.BusMaster);
        int[] seen = [driver.Interrupts[0].Count, driver.Interrupts[1].Count];

        driver.Function.SetCommand(PciCommands.BusMaster);

        driver.Interrupts[0].WaitFor(seen[0] + 1);
        driver.Interrupts[1].WaitFor(seen[1] + 1);
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Driver_may_reset_the_device_meanwhile(Layout layout)
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        driver.Queues[0].Request([1], 1);
        guest.Memory.Unmap();
        driver.Queues[0].Notify();

        driver.Write(0x14, (byte)0);
        // the worker may look at the queue at this moment
        SpinWait.SpinUntil(() => driver.ReadStatus() == 0, TimeSpan.FromSeconds(60)).Should().BeTrue();
        guest.Memory.Map();

        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    /// <summary>Behind a strict IOMMU each request is mapped and unmapped, and each unmap quiesces the device, whatever the worker does at that
    /// moment. The driver does not notify it, as it has not been asked to since the worker began to look.</summary>
    [Theory]
    [MemberData(nameof(AllLayouts))]
    public async Task Buffer_that_is_seen_while_the_device_is_quiesced_is_looked_for_again_before_a_sleep(Layout layout)
    {
        using EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        using SharedMemory other = SharedMemory.Create(4096);
        guest.Client.MapDma(Elsewhere, 4096, other.File);
        driver.Queues[0].Request([1], 1);

        device.Events.TryBeginPass().Should().BeTrue(); // the unmap waits for its end
        device.Echo.TryBeginPass().Should().BeTrue();
        // the first one is put back, and looked for by whoever has put it back
        ushort[] ids = [.. Enumerable.Range(0, 2).Select(_ => driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(2), 2, writable: true)))];
        Task unmap = Task.Run(() => guest.Client.UnmapDma(Elsewhere, 4096));
        SpinWait.SpinUntil(() => !TakesAndPutsBack(device.Echo), TimeSpan.FromSeconds(60)).Should().BeTrue();
        device.Echo.EndPass();
        bool looksAgain = device.Echo.Arm();
        device.Events.EndPass();

        looksAgain.Should().BeTrue();
        await unmap;
        ids.Select(_ => driver.Queues[0].Take().Id).Should().Equal(ids);
    }

    private static bool TakesAndPutsBack(VirtioQueue queue)
    {
        if (!queue.TryTake(out VirtioChain? chain))
            return false;
        queue.PutBack(chain);
        return true;
    }
}
