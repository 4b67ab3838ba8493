namespace VfioUser.Virtio.Tests;

public sealed class QueueTests
{
    public static TheoryData<Layout> AllLayouts => Layouts.All;

    public static TheoryData<Layout, GuestMemoryKind> AllMemories
    {
        get
        {
            TheoryData<Layout, GuestMemoryKind> rows = [];
            foreach (Layout layout in Enum.GetValues<Layout>())
            {
                foreach (GuestMemoryKind memory in Enum.GetValues<GuestMemoryKind>())
                    rows.Add(layout, memory);
            }
            return rows;
        }
    }

    [Theory]
    [InlineData(Layout.Split)]
    [InlineData(Layout.Packed)]
    public void Notifications_may_have_data(Layout layout)
    {
        using EchoDevice device = new((ulong)(VirtioFeatures.RingPacked | VirtioFeatures.NotificationData));
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverOptions options = layout.Options();
        VirtioDriver driver = VirtioDriver.Start(guest, options with { Features = options.Features | (ulong)VirtioFeatures.NotificationData });

        for (byte i = 0; i < 40; i++)
            driver.Queues[0].Request([i, 2], 2).Should().Equal(2, i);

        ((VirtioFeatures)device.Features).Should().HaveFlag(VirtioFeatures.NotificationData);
    }

    [Theory]
    [MemberData(nameof(AllMemories))]
    public void Each_request_has_its_answer(Layout layout, GuestMemoryKind memory)
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice(), memory);
        VirtioDriverQueue queue = VirtioDriver.Start(guest, layout.Options()).Queues[0];

        // several times round the ring
        for (byte i = 0; i < 70; i++)
            queue.Request([i, 1, 2], 3).Should().Equal(2, 1, i);
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Buffers_of_many_parts_are_one(Layout layout)
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriverQueue queue = VirtioDriver.Start(guest, layout.Options()).Queues[0];
        Iova answer = guest.Memory.Allocate(3 * 4096);

        for (int i = 0; i < 20; i++)
        {
            ushort id = queue.Add(
                new VirtioPart(guest.Place([1]), 1, writable: false),
                new VirtioPart(guest.Place([2, 3]), 2, writable: false),
                new VirtioPart(guest.Place([4, 5, 6]), 3, writable: false),
                new VirtioPart(answer, 4, writable: true),
                new VirtioPart(answer + 4096, 4, writable: true));
            queue.Notify();

            queue.Take().Should().BeEquivalentTo(new { Id = id, Written = 6L });
            guest.Memory.ReadBytes(answer, 4).Should().Equal(6, 5, 4, 3);
            guest.Memory.ReadBytes(answer + 4096, 2).Should().Equal(2, 1);
        }
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Full_ring_is_served_whatever_the_order_of_completion(Layout layout)
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverQueue queue = VirtioDriver.Start(guest, layout.Options(size: 8)).Queues[0];
        for (int round = 0; round < 5; round++)
        {
            HashSet<ushort> ids = [];
            for (int i = 0; i < 8; i++)
                ids.Add(queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true)));
            queue.Notify();
            List<VirtioChain> held = [.. Enumerable.Range(0, 8).Select(_ => device.Held!.Take())];
            held.Reverse();

            held.ForEach(static chain => chain.Complete(16));

            Enumerable.Range(0, 8).Select(_ => queue.Take().Id).Should().BeEquivalentTo(ids);
        }
        queue.TryTake(out _).Should().BeFalse();
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Messages_wait_for_buffers_and_buffers_for_messages(Layout layout)
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverQueue queue = VirtioDriver.Start(guest, layout.Options()).Queues[1];
        Iova[] at = [.. Enumerable.Range(0, 40).Select(_ => guest.Memory.Allocate(4))];

        for (byte i = 0; i < 40; i += 2)
        {
            queue.Add(new VirtioPart(at[i], 4, writable: true));
            queue.Notify();
            device.Tell([i]);
            device.Tell([(byte)(i + 1)]);
            queue.Take().Written.Should().Be(1);
            queue.Add(new VirtioPart(at[i + 1], 4, writable: true));
            queue.Notify();
            queue.Take().Written.Should().Be(1);

            guest.Memory.Read<byte>(at[i]).Should().Be(i);
            guest.Memory.Read<byte>(at[i + 1]).Should().Be((byte)(i + 1));
        }
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Threads_complete_what_others_add_without_a_loss(Layout layout)
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverQueue queue = VirtioDriver.Start(guest, layout.Options(size: 32)).Queues[0];
        Iova at = guest.Memory.Allocate(16);
        Thread[] completers = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            foreach (VirtioChain chain in device.Held!.GetConsumingEnumerable())
                chain.Complete(16);
        }))];
        Array.ForEach(completers, static thread => thread.Start());
        const int Total = 3_000;

        int added = 0, taken = 0;
        while (taken < Total)
        {
            while (added < Total && added - taken < 32)
            {
                queue.Add(new VirtioPart(at, 16, writable: true));
                added++;
                queue.Notify();
            }
            queue.Take();
            taken++;
        }
        device.Held!.CompleteAdding();
        Array.ForEach(completers, static thread => thread.Join());

        queue.TryTake(out _).Should().BeFalse();
    }

    [Fact]
    public void Chain_is_completed_once_and_within_its_memory()
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriverQueue queue = VirtioDriver.Start(guest).Queues[0];
        queue.Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        queue.Notify();
        VirtioChain chain = device.Held.Take();

        chain.Invoking(one => one.Complete(17)).Should().Throw<ArgumentOutOfRangeException>();
        chain.Complete(16);

        chain.Invoking(one => one.Complete()).Should().Throw<InvalidOperationException>();
        queue.Take().Written.Should().Be(16);
    }

    [Fact]
    public void Exception_of_a_handler_is_the_devices_and_asks_for_a_reset()
    {
        EchoDevice device = new() { Throws = new InvalidOperationException("broken") };
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { FailOnDeviceException = false });
        VirtioDriver driver = VirtioDriver.Start(guest);

        for (int i = 0; i < 20; i++)
            driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        driver.Queues[0].Notify();
        driver.Interrupts[0].WaitFor(1);

        driver.ReadNeedsReset().Should().BeTrue();
        SpinWait.SpinUntil(() => guest.AcceptDeviceExceptions().Count > 0, TimeSpan.FromSeconds(30)).Should().BeTrue();
        driver.Queues[0].NotifyAlways();
        driver.ReadNeedsReset().Should().BeTrue();
        guest.AcceptDeviceExceptions().Should().ContainSingle("the queue is not served any more");
        device.Throws = null;
        driver.Start();
        driver.Queues[0].Request([7, 8], 2).Should().Equal(8, 7);
    }
}
