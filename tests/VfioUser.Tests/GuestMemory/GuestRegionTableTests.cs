namespace VfioUser.Tests;

public class GuestRegionTableTests
{
    [Fact]
    public void An_empty_table_finds_nothing()
    {
        GuestRegionTable.Empty.Find(0).Should().BeNull();
        GuestRegionTable.Empty.Find(ulong.MaxValue).Should().BeNull();
        GuestRegionTable.Empty.Overlaps(0, ulong.MaxValue).Should().BeFalse();
        GuestRegionTable.Empty.All.Should().BeEmpty();
    }

    [Fact]
    public void A_region_is_found_from_its_first_byte_to_its_last()
    {
        GuestRegion mapping = Mapping(0x1000, 0x2000);
        GuestRegionTable table = GuestRegionTable.Empty.Add(mapping);

        table.Find(0x0FFF).Should().BeNull();
        table.Find(0x1000).Should().BeSameAs(mapping);
        table.Find(0x2FFF).Should().BeSameAs(mapping);
        table.Find(0x3000).Should().BeNull();
    }

    [Fact]
    public void Adjacent_regions_are_distinguished()
    {
        GuestRegion low = Mapping(0x1000, 0x1000);
        GuestRegion high = Mapping(0x2000, 0x1000);
        GuestRegionTable table = GuestRegionTable.Empty.Add(high).Add(low);

        table.Find(0x1FFF).Should().BeSameAs(low);
        table.Find(0x2000).Should().BeSameAs(high);
        table.All.Should().Equal(low, high);
    }

    [Fact]
    public void A_region_may_end_at_the_last_address_and_another_begin_at_the_first()
    {
        GuestRegion top = Mapping(ulong.MaxValue - 0xFFF, 0x1000);
        GuestRegion bottom = Mapping(0, 1);
        GuestRegionTable table = GuestRegionTable.Empty.Add(top).Add(bottom);

        table.Find(ulong.MaxValue).Should().BeSameAs(top);
        table.Find(ulong.MaxValue - 0x1000).Should().BeNull();
        table.Find(0).Should().BeSameAs(bottom);
        table.Find(1).Should().BeNull();
        table.Overlaps(ulong.MaxValue, ulong.MaxValue).Should().BeTrue();
    }

    [Theory]
    [InlineData(0x0000, 0x0FFF, false)]
    [InlineData(0x0000, 0x1000, true)]
    [InlineData(0x1800, 0x1800, true)]
    [InlineData(0x1FFF, 0x5000, true)]
    [InlineData(0x2000, 0x2FFF, false)] // the hole between the two
    [InlineData(0x2000, 0x3000, true)]
    [InlineData(0x0000, ulong.MaxValue, true)]
    [InlineData(0x4000, ulong.MaxValue, false)]
    public void Overlap_is_a_common_byte(ulong first, ulong last, bool overlaps)
    {
        GuestRegionTable table = GuestRegionTable.Empty.Add(Mapping(0x1000, 0x1000)).Add(Mapping(0x3000, 0x1000));

        table.Overlaps(first, last).Should().Be(overlaps);
    }

    [Fact]
    public void A_change_leaves_the_table_that_readers_have_alone()
    {
        GuestRegion mapping = Mapping(0x1000, 0x1000);
        GuestRegionTable before = GuestRegionTable.Empty.Add(mapping);

        GuestRegionTable after = before.Remove(mapping);

        before.Find(0x1000).Should().BeSameAs(mapping);
        after.Find(0x1000).Should().BeNull();
        after.Count.Should().Be(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Table_agrees_with_a_naive_model(int seed)
    {
        Random random = new(seed);
        List<GuestRegion> model = [];
        GuestRegionTable table = GuestRegionTable.Empty;
        const int Space = 6000;
        for (int step = 0; step < 6000; step++)
        {
            // phases that grow and phases that shrink
            bool add = random.Next(100) < (step / 2000 == 1 ? 35 : 75);
            if (add || model.Count == 0)
            {
                GuestRegion mapping = Mapping((ulong)random.Next(Space), (ulong)random.Next(1, 4));
                bool overlaps = model.Exists(other => mapping.Start <= other.Last && other.Start <= mapping.Last);
                table.Overlaps(mapping.Start, mapping.Last).Should().Be(overlaps);
                if (overlaps)
                    continue;
                model.Add(mapping);
                table = table.Add(mapping);
            }
            else
            {
                int victim = random.Next(model.Count);
                table = table.Remove(model[victim]);
                model.RemoveAt(victim);
            }
            ulong address = (ulong)random.Next(Space + 4);
            table.Find(address).Should().BeSameAs(model.Find(mapping => mapping.Start <= address && address <= mapping.Last));
            table.Count.Should().Be(model.Count);
        }
        table.All.Should().Equal(model.OrderBy(mapping => mapping.Start));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    [InlineData(0)]
    public void A_hundred_thousand_regions_are_all_found_and_all_removed(int direction)
    {
        GuestRegion[] mappings = [.. Enumerable.Range(0, 100_000).Select(i => Mapping((ulong)i * 0x3000, 0x1000))];
        GuestRegion[] adds = [.. mappings];
        if (direction < 0)
            Array.Reverse(adds);
        else if (direction == 0)
            new Random(4).Shuffle(adds);

        GuestRegionTable table = adds.Aggregate(GuestRegionTable.Empty, (left, mapping) => left.Add(mapping));

        table.Count.Should().Be(mappings.Length);
        Array.TrueForAll(mappings, mapping => table.Find(mapping.Start) == mapping && table.Find(mapping.Last) == mapping
            && table.Find(mapping.Last + 1) is null).Should().BeTrue();
        new Random(5).Shuffle(adds);
        table = adds.Aggregate(table, (left, mapping) => left.Remove(mapping));
        table.Count.Should().Be(0);
        table.Find(0).Should().BeNull();
    }

    [Theory]
    [InlineData(0x0000, 0x0FFF, false)]
    [InlineData(0x0000, 0x1000, true)]
    [InlineData(0x1000, 0x1FFF, false)]
    [InlineData(0x1001, 0x1FFF, true)]
    [InlineData(0x1000, 0x1FFE, true)]
    [InlineData(0x1800, 0x3800, true)]
    [InlineData(0x2000, 0x2FFF, false)]
    [InlineData(0x1000, 0x3FFF, false)]
    [InlineData(0x0000, ulong.MaxValue, false)]
    public void A_range_that_covers_part_of_a_region_is_found(ulong first, ulong last, bool cuts)
    {
        GuestRegionTable table = GuestRegionTable.Empty.Add(Mapping(0x1000, 0x1000)).Add(Mapping(0x3000, 0x1000));

        table.IsCutBy(first, last).Should().Be(cuts);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Removing_ranges_agrees_with_a_naive_model(int seed)
    {
        Random random = new(seed);
        GuestRegion[] mappings = [.. Enumerable.Range(0, 3000).Select(i => Mapping((ulong)i * 4 + 2, 2))];
        for (int round = 0; round < 20; round++)
        {
            GuestRegionTable table = mappings.Aggregate(GuestRegionTable.Empty, (left, mapping) => left.Add(mapping));
            List<GuestRegion> model = [.. mappings];
            while (model.Count > 0)
            {
                ulong first = (ulong)random.Next(3000) * 4;
                ulong last = random.Next(10) == 0 ? ulong.MaxValue : first + (ulong)random.Next(1, 1500) * 4 - 1;
                GuestRegion[] expected = [.. model.Where(mapping => mapping.Start >= first && mapping.Last <= last)];

                table = table.RemoveBetween(first, last, out GuestRegion[] removed);

                removed.Should().Equal(expected);
                model.RemoveAll(expected.Contains);
                table.Count.Should().Be(model.Count);
                table.Overlaps(first, last).Should().BeFalse();
                if (model.Count > 0)
                    table.Find(model[^1].Last).Should().BeSameAs(model[^1]);
            }
            table.All.Should().BeEmpty();
        }
    }

    [Fact]
    public async Task Readers_always_find_what_stays_while_a_writer_changes_the_rest()
    {
        // every second region stays, the others come and go
        GuestRegion[] mappings = [.. Enumerable.Range(0, 4000).Select(i => Mapping((ulong)i * 0x1000, 0x1000))];
        Dma dma = new();
        dma.Table = mappings.Aggregate(GuestRegionTable.Empty, (left, mapping) => left.Add(mapping));
        using CancellationTokenSource done = new();

        Task<int>[] readers = [.. Enumerable.Range(0, 2).Select(seed => Background.Run(() =>
        {
            Random random = new(seed);
            int reads = 0;
            for (; !done.IsCancellationRequested; reads++)
            {
                int index = random.Next(mappings.Length);
                GuestRegion? found = dma.Table.Find(mappings[index].Start + 0x123);
                bool right = found == mappings[index] || (found is null && index % 2 == 1);
                if (!right)
                    throw new InvalidOperationException($"Region {index} was not found, or another one was.");
            }
            return reads;
        }))];
        Random writes = new(99);
        for (int i = 0; i < 20_000; i++)
        {
            GuestRegion mapping = mappings[writes.Next(mappings.Length / 2) * 2 + 1];
            dma.Table = dma.Table.Find(mapping.Start) is null ? dma.Table.Add(mapping) : dma.Table.Remove(mapping);
        }
        await done.CancelAsync();

        foreach (Task<int> reader in readers)
            (await reader.WaitAsync(Background.Timeout)).Should().BePositive();
    }

    private static MessageGuestRegion Mapping(ulong address, ulong length) =>
        new(new DmaRegion(new Iova(address), length, true, true, DmaBacking.Message), null!);
}
