namespace VfioUser.Virtio.Tests;

/// <summary>Drivers that lie: the queue stops and the device asks to be reset, and nothing else happens.</summary>
public sealed class HostileDriverTests
{
    private const ushort Next = 1;
    private const ushort Write = 2;
    private const ushort Indirect = 4;

    [Fact]
    public void Descriptor_beyond_the_table_breaks_the_queue() =>
        ShouldBreakSplit((guest, queue) => Make(guest, queue, head: 16), "descriptor 16 of a table of 16");

    [Fact]
    public void Next_descriptor_beyond_the_table_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(16), 16, Next, 0x8000);
                Make(guest, queue, head: 0);
            },
            "descriptor 32768");

    [Fact]
    public void Loop_of_descriptors_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(16), 16, Next, 1);
                Put(guest, queue.Descriptors, 1, guest.Memory.Allocate(16), 16, Next, 0);
                Make(guest, queue, head: 0);
            },
            "loop");

    [Fact]
    public void Index_that_jumps_breaks_the_queue() =>
        ShouldBreakSplit((guest, queue) => guest.Memory.Write(queue.DriverArea + 2, (ushort)17), "17 buffers available in a ring of 16");

    [Fact]
    public void Buffers_that_are_made_available_again_before_they_are_used_break_the_queue()
    {
        EchoDevice device = new() { Held = [] };
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, Layout.Split.Options());
        VirtioDriverQueue queue = driver.Queues[0];
        Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(16), 16, Write, 0);

        // each entry of the available ring names descriptor 0
        guest.Memory.Write(queue.DriverArea + 2, (ushort)16);
        queue.NotifyAlways();
        List<VirtioChain> held = [.. Enumerable.Range(0, 16).Select(_ => device.Held.Take())];
        guest.Memory.Write(queue.DriverArea + 2, (ushort)17);
        queue.NotifyAlways();

        driver.Interrupts[0].WaitFor(1);
        driver.ReadNeedsReset().Should().BeTrue();
        guest.Log.Should().Contain(line => line.Contains("17 entries at once in a ring of 16", StringComparison.Ordinal));
        device.Held.Should().BeEmpty();
        held.ForEach(static chain => chain.Complete());
        device.Held = null;
        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Fact]
    public void Readable_memory_after_writable_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(16), 16, Next | Write, 1);
                Put(guest, queue.Descriptors, 1, guest.Memory.Allocate(16), 16, 0, 0);
                Make(guest, queue, head: 0);
            },
            "a readable descriptor follows a writable one");

    [Fact]
    public void Buffers_of_more_than_4_GiB_break_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(16), uint.MaxValue, Next, 1);
                Put(guest, queue.Descriptors, 1, guest.Memory.Allocate(16), 1, 0, 0);
                Make(guest, queue, head: 0);
            },
            "more than 4 GiB");

    [Theory]
    [InlineData(0u, "an indirect table of 0 bytes")]
    [InlineData(17u, "an indirect table of 17 bytes")]
    [InlineData(0xFFFF_FFF0u, "an indirect table of 4294967280 bytes")]
    public void Indirect_table_of_a_wrong_length_breaks_the_queue(uint length, string reason) =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(4096), length, Indirect, 0);
                Make(guest, queue, head: 0);
            },
            reason);

    [Fact]
    public void Indirect_table_within_another_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Iova table = guest.Memory.Allocate(4096);
                Put(guest, table, 0, table, 16, Indirect, 0);
                Put(guest, queue.Descriptors, 0, table, 16, Indirect, 0);
                Make(guest, queue, head: 0);
            },
            "an indirect table within another");

    [Fact]
    public void Indirect_table_that_loops_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Iova table = guest.Memory.Allocate(4096);
                Put(guest, table, 0, table, 16, Next, 1);
                Put(guest, table, 1, table, 16, Next, 0);
                Put(guest, queue.Descriptors, 0, table, 32, Indirect, 0);
                Make(guest, queue, head: 0);
            },
            "an indirect table has a loop");

    [Fact]
    public void Indirect_descriptor_in_a_chain_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(4096), 16, Indirect | Next, 1);
                Make(guest, queue, head: 0);
            },
            "indirect and has a next one");

    [Fact]
    public void Indirect_table_that_is_not_there_breaks_the_queue() =>
        ShouldBreakSplit(
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, new Iova(0xDEAD_0000_0000), 16, Indirect, 0);
                Make(guest, queue, head: 0);
            },
            "an indirect table: 0xdead00000000: not mapped");

    [Fact]
    public void Indirect_descriptor_without_the_feature_breaks_the_queue() =>
        ShouldBreak(
            Layout.Split.Options(),
            (guest, queue) =>
            {
                Put(guest, queue.Descriptors, 0, guest.Memory.Allocate(4096), 16, Indirect, 0);
                Make(guest, queue, head: 0);
            },
            "without the feature");

    [Fact]
    public void Packed_chain_that_goes_round_the_ring_breaks_the_queue() =>
        ShouldBreak(
            Layout.Packed.Options(),
            (guest, queue) =>
            {
                for (int i = 0; i < 16; i++)
                    PutPacked(guest, queue, i, guest.Memory.Address, 16, Next);
            },
            "goes round the ring");

    [Fact]
    public void Packed_indirect_descriptor_in_a_chain_breaks_the_queue() =>
        ShouldBreak(
            Layout.PackedIndirect.Options(),
            (guest, queue) =>
            {
                PutPacked(guest, queue, 1, guest.Memory.Address, 16, Indirect);
                PutPacked(guest, queue, 0, guest.Memory.Address, 16, Next);
            },
            "an indirect descriptor in a chain");

    [Fact]
    public void Packed_table_within_another_breaks_the_queue() =>
        ShouldBreak(
            Layout.PackedIndirect.Options(),
            (guest, queue) =>
            {
                Iova table = guest.Memory.Allocate(4096);
                guest.Memory.Write(table + 14, Indirect);
                PutPacked(guest, queue, 0, table, 16, Indirect);
            },
            "an indirect table within another");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rings_that_are_not_in_memory_break_the_queue(bool packed)
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriver driver = VirtioDriver.Start(guest, (packed ? Layout.Packed : Layout.Split).Options());
        driver.Reset();
        driver.Write(0x08, 1u);
        driver.Write(0x0C, packed ? 5u : 1u);
        driver.Write(0x14, (byte)11);
        driver.Write(0x16, (ushort)0);
        driver.Write(0x20, ulong.MaxValue - 15);
        driver.Write(0x28, ulong.MaxValue - 7);
        driver.Write(0x30, ulong.MaxValue - 7);
        driver.Write(0x1C, (ushort)1);
        driver.Write(0x14, (byte)15);

        guest.Bar0.Write(0x3000, (ushort)0);

        SpinWait.SpinUntil(driver.ReadNeedsReset, TimeSpan.FromSeconds(30)).Should().BeTrue();
        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Theory]
    [InlineData((ushort)0)]
    [InlineData((ushort)3)]
    [InlineData((ushort)512)]
    [InlineData((ushort)0xFFFF)]
    public void Size_that_no_split_ring_has_is_not_taken(ushort size)
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriver driver = VirtioDriver.Start(guest, Layout.Split.Options());
        driver.Reset();

        driver.Write(0x18, size);

        driver.Read<ushort>(0x18).Should().Be(256);
    }

    [Fact]
    public void Every_width_at_every_offset_is_answered()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriver driver = VirtioDriver.Start(guest);
        Span<byte> bytes = stackalloc byte[8];
        bytes.Fill(0xA5);
        foreach (int offset in Enumerable.Range(0, 0x48).Concat([0x1000, 0x1001, 0x2000, 0x200B, 0x2FFF, 0x3000, 0x3004, 0x3FFF, 0x3FFC]))
        {
            for (int width = 1; width <= 8; width++)
            {
                guest.Bar0.Read(offset, bytes[..width]);
                guest.Bar0.Write(offset, bytes[..width]);
            }
        }

        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Fact]
    public void Vector_that_does_not_exist_is_used_by_nobody_not_even_for_a_moment()
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        using CancellationTokenSource stop = new();
        Thread changing = new(() =>
        {
            for (uint i = 0; !stop.IsCancellationRequested; i++)
                device.Config.Value = new EchoConfig { Generation = i };
        });
        changing.Start();
        for (int i = 0; i < 2_000; i++)
            driver.Write(0x10, (ushort)(i % 2 == 0 ? 500 : 0));
        stop.Cancel();
        changing.Join();

        driver.Write(0x10, (ushort)500);
        driver.Read<ushort>(0x10).Should().Be(0xFFFF);
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_rings_break_nothing_but_themselves(int seed)
    {
        Random random = new(seed);
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { MemorySize = 256 << 20 });
        VirtioDriver driver = VirtioDriver.Start(guest, Layout.SplitIndirect.Options());
        byte[] noise = new byte[16 * 16];
        for (int round = 0; round < 400; round++)
        {
            VirtioDriverQueue queue = driver.Queues[0];
            random.NextBytes(noise);
            for (int i = 0; i < 16; i++)
            {
                // some of it means something
                if (random.Next(4) > 0)
                    BitConverter.TryWriteBytes(noise.AsSpan(16 * i), guest.Memory.Address.Value + (ulong)random.Next(1 << 20));
                if (random.Next(3) > 0)
                    BitConverter.TryWriteBytes(noise.AsSpan(16 * i + 8), random.Next(64) * 16);
                if (random.Next(3) > 0)
                    BitConverter.TryWriteBytes(noise.AsSpan(16 * i + 12), (ushort)random.Next(8));
                if (random.Next(3) > 0)
                    BitConverter.TryWriteBytes(noise.AsSpan(16 * i + 14), (ushort)random.Next(17));
            }
            guest.Memory.Write(queue.Descriptors, noise);
            for (int i = 0; i < 16; i++)
                guest.Memory.Write(queue.DriverArea + 4 + (ulong)(2 * i), (ushort)random.Next(18));
            guest.Memory.Write(queue.DriverArea + 2, (ushort)random.Next(18));
            queue.NotifyAlways();
            if (round % 8 == 7)
                driver.Start();
        }

        driver.Start();
        driver.Queues[0].Request([1, 2, 3], 3).Should().Equal(3, 2, 1);
    }

    private static void ShouldBreakSplit(Action<TestGuest, VirtioDriverQueue> lie, string reason) =>
        ShouldBreak(Layout.SplitIndirect.Options(), lie, reason);

    private static void ShouldBreak(VirtioDriverOptions options, Action<TestGuest, VirtioDriverQueue> lie, string reason)
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest, options);

        lie(guest, driver.Queues[0]);
        driver.Queues[0].NotifyAlways();

        driver.Interrupts[0].WaitFor(1);
        driver.ReadNeedsReset().Should().BeTrue();
        guest.Log.Should().Contain(line => line.Contains(reason, StringComparison.Ordinal));
        // the other queue goes on
        driver.Queues[1].Add(new VirtioPart(guest.Memory.Allocate(4), 4, writable: true));
        driver.Queues[1].Notify();
        device.Tell([9]);
        driver.Queues[1].Take().Written.Should().Be(1);
        driver.Start();
        driver.Queues[0].Request([1, 2], 2).Should().Equal(2, 1);
    }

    private static void Put(TestGuest guest, Iova table, int index, Iova address, uint length, int flags, ushort next)
    {
        Iova at = table + (ulong)(16 * index);
        guest.Memory.Write(at, address.Value);
        guest.Memory.Write(at + 8, length);
        guest.Memory.Write(at + 12, (ushort)flags);
        guest.Memory.Write(at + 14, next);
    }

    private static void PutPacked(TestGuest guest, VirtioDriverQueue queue, int index, Iova address, uint length, int flags)
    {
        Iova at = queue.Descriptors + (ulong)(16 * index);
        guest.Memory.Write(at, address.Value);
        guest.Memory.Write(at + 8, length);
        guest.Memory.Write(at + 14, (ushort)(flags | 1 << 7));
    }

    // the first buffer of a fresh ring
    private static void Make(TestGuest guest, VirtioDriverQueue queue, ushort head)
    {
        guest.Memory.Write(queue.DriverArea + 4, head);
        guest.Memory.Write(queue.DriverArea + 2, (ushort)1);
    }
}
