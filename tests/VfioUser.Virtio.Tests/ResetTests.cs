namespace VfioUser.Virtio.Tests;

public sealed class ResetTests
{
    public static TheoryData<Layout> AllLayouts => Layouts.All;

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Device_is_reset_once_it_has_completed_its_buffers(Layout layout)
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        int gone = device.DriversGone;
        driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        driver.Queues[0].Notify();
        VirtioChain chain = device.Held.Take();

        driver.Write(0x14, (byte)0);

        driver.ReadStatus().Should().NotBe(0, "the device still has a buffer");
        device.DriversGone.Should().Be(gone);
        chain.Complete(16);
        // the worker may look at the queue at this moment
        SpinWait.SpinUntil(() => driver.ReadStatus() == 0, TimeSpan.FromSeconds(30)).Should().BeTrue();
        device.DriversGone.Should().Be(gone + 1);
        device.Held = null;
        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void One_queue_is_reset_alone(Layout layout)
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        driver.Queues[0].Request([1], 1);

        VirtioDriverQueue again = driver.ResetQueue(0);

        again.Request([1, 2, 3], 3).Should().Equal(3, 2, 1);
        driver.Queues[1].Add(new VirtioPart(guest.Memory.Allocate(4), 4, writable: true));
        driver.Queues[1].Notify();
        device.Tell([9]);
        driver.Queues[1].Take().Written.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Queue_is_reset_once_the_device_has_completed_its_buffers(Layout layout)
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        driver.Queues[0].Notify();
        VirtioChain chain = device.Held.Take();

        driver.Write(0x16, (ushort)0);
        driver.Write(0x3A, (ushort)1);

        driver.Read<ushort>(0x3A).Should().Be(1);
        driver.Read<ushort>(0x1C).Should().Be(0);
        chain.Complete(16);
        driver.Read<ushort>(0x3A).Should().Be(0);
        device.Held = null;
        driver.ResetQueue(0).Request([1, 2], 2).Should().Equal([2, 1], "what was completed too late is in no ring");
    }

    [Fact]
    public async Task Reset_of_the_function_waits_for_buffers_that_the_device_has()
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
        driver.Queues[0].Notify();
        VirtioChain chain = device.Held.Take();

        Task reset = Task.Run(guest.Reset);
        await Task.WhenAny(reset, Task.Delay(TimeSpan.FromMilliseconds(50)));
        bool early = reset.IsCompleted;
        chain.Complete(16);

        await reset.WaitAsync(TimeSpan.FromSeconds(30));
        early.Should().BeFalse();
        guest.Bar0.Read<byte>(0x14).Should().Be(0);
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Reset_does_not_wait_for_a_buffer_whose_handler_has_thrown(Layout layout)
    {
        EchoDevice device = new() { Held = [], Throws = new InvalidOperationException("broken") };
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { FailOnDeviceException = false });
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        driver.Queues[1].Add(new VirtioPart(guest.Memory.Allocate(4), 4, writable: true));
        driver.Queues[1].Notify();
        device.Tell([9]);
        driver.Interrupts[0].WaitFor(1);
        driver.ReadNeedsReset().Should().BeTrue();
        VirtioChain lost = device.Held.Take();
        SpinWait.SpinUntil(() => guest.AcceptDeviceExceptions().Count > 0, TimeSpan.FromSeconds(30)).Should().BeTrue();
        device.Throws = null;

        driver.Write(0x14, (byte)0);

        SpinWait.SpinUntil(() => driver.ReadStatus() == 0, TimeSpan.FromSeconds(30)).Should().BeTrue();
        lost.Complete(1);
        driver.Start();
        driver.Queues[1].Add(new VirtioPart(guest.Memory.Allocate(4), 4, writable: true));
        driver.Queues[1].Notify();
        driver.Queues[1].Take().Written.Should().Be(1, "the message is sent to the next driver");
        driver.Queues[1].TryTake(out _).Should().BeFalse();
    }

    [Fact]
    public void Driver_comes_back_fifty_times()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice(), new TestGuestOptions { MemorySize = 64 << 20 });
        VirtioDriver driver = VirtioDriver.Start(guest);
        for (int i = 0; i < 50; i++)
        {
            driver.Queues[0].Add(new VirtioPart(guest.Memory.Allocate(16), 16, writable: true));
            driver.Queues[0].Notify();
            driver.Start();
            driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
        }
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Rings_move_to_another_server_where_they_are(Layout layout)
    {
        EchoDevice source = new();
        using TestGuest guest = TestGuest.Attach(source);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options(size: 4));
        for (byte i = 0; i < 7; i++)
            driver.Queues[0].Request([i, 1], 2).Should().Equal(1, i);

        using TestGuest target = guest.MigrateTo(new EchoDevice());

        driver.MoveTo(target);
        for (byte i = 0; i < 9; i++)
            driver.Queues[0].Request([i, 1], 2).Should().Equal(1, i);
    }
}
