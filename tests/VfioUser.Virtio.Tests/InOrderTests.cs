namespace VfioUser.Virtio.Tests;

public sealed class InOrderTests
{
    private const ulong Features = (ulong)(VirtioFeatures.RingPacked | VirtioFeatures.InOrder);

    public static TheoryData<Layout> AllLayouts => Layouts.All;

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Buffers_come_back_in_their_order_whatever_the_order_of_completion(Layout layout)
    {
        EchoDevice device = new(Features) { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverQueue queue = Start(guest, layout).Queues[0];
        for (int round = 0; round < 5; round++)
        {
            ushort[] ids = [.. Enumerable.Range(0, 8).Select(_ => queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true)))];
            queue.Notify();
            VirtioChain[] held = [.. Enumerable.Range(0, 8).Select(_ => device.Held!.Take())];

            foreach (int i in new[] { 3, 1, 7, 0, 6, 2, 5, 4 })
                held[i].Complete(i);

            Enumerable.Range(0, 8).Select(_ => queue.Take()).Select(static used => (used.Id, used.Written))
                .Should().Equal(ids.Select(static (id, i) => (id, (long)i)));
        }
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Buffer_that_is_done_early_waits_for_those_before_it_and_goes_with_a_reset(Layout layout)
    {
        EchoDevice device = new(Features) { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = Start(guest, layout);
        VirtioDriverQueue queue = driver.Queues[0];
        for (int i = 0; i < 3; i++)
            queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        queue.Notify();
        VirtioChain[] held = [.. Enumerable.Range(0, 3).Select(_ => device.Held!.Take())];
        held[2].Complete(2);

        // a fourth one is taken after the worker has seen that the third is done
        queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        queue.Notify();
        VirtioChain last = device.Held!.Take();
        queue.TryTake(out _).Should().BeFalse();

        held[1].Complete(1);
        held[0].Complete(0);
        last.Complete(3);
        Enumerable.Range(0, 4).Select(_ => queue.Take().Written).Should().Equal(0, 1, 2, 3);
        queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        queue.Notify();
        held = [device.Held.Take(), device.Held.Take()];
        held[1].Complete(); // waits for the first, which comes too late
        device.Held = null;
        driver.Write(0x14, (byte)0);
        held[0].Complete();
        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Fact]
    public void Driver_that_does_not_ask_for_order_has_none()
    {
        EchoDevice device = new(Features) { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverQueue queue = VirtioDriver.Start(guest, Layout.Split.Options()).Queues[0];
        ushort[] ids = [.. Enumerable.Range(0, 2).Select(_ => queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true)))];
        queue.Notify();
        VirtioChain[] held = [device.Held!.Take(), device.Held.Take()];

        held[1].Complete();

        queue.Take().Id.Should().Be(ids[1]);
        held[0].Complete();
        queue.Take().Id.Should().Be(ids[0]);
    }

    private static VirtioDriver Start(TestGuest guest, Layout layout)
    {
        VirtioDriverOptions options = layout.Options();
        VirtioDriver driver = VirtioDriver.Start(guest, options with { Features = options.Features | (ulong)VirtioFeatures.InOrder });
        ((VirtioFeatures)driver.Features).Should().HaveFlag(VirtioFeatures.InOrder);
        return driver;
    }
}
