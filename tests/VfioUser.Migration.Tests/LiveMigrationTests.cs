using System.Diagnostics;
using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Migration.Tests;

/// <summary>What a virtual machine monitor does to move a running device from one process to another.</summary>
public class LiveMigrationTests
{
    private const ulong Ram = 0x1_0000_0000;
    private const ulong RamSize = 8 << 20;
    private const ulong Page = 4096;

    [Fact]
    public void A_busy_device_moves_to_another_process_with_memory_and_state()
    {
        using SharedMemory here = SharedMemory.Create(RamSize);
        using SharedMemory there = SharedMemory.Create(RamSize);
        using DeviceProcess source = new();
        using DeviceProcess target = new();
        source.Id.Should().NotBe(target.Id);
        Start(source.Client, here);
        target.Client.MapDma(Ram, RamSize, there.File);

        // While the guest runs: everything once, then again what was written meanwhile. State as far as it goes.
        source.Client.StartDirtyPages(Page).Should().Be(Page);
        source.Client.SetMigrationState(MigrationState.PreCopy);
        CopyPages(here, there, Enumerable.Range(0, (int)(RamSize / Page)));
        List<byte[]> stream = [];
        Drain(source.Client, stream);
        int copied = 0;
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < 20 || (copied == 0 && Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30)); round++)
            copied += CopyDirty(source.Client, here, there);
        copied.Should().BeGreaterThan(0, "the device keeps writing");
        int before = stream.Sum(piece => piece.Length);
        before.Should().BeGreaterThan(BusyDevice.HistorySize / 2);

        // The guest stands still from here on.
        source.Client.SetMigrationState(MigrationState.StopCopy);
        CopyDirty(source.Client, here, there);
        Drain(source.Client, stream);
        Equal(here, there).Should().BeTrue("every page that was written has been reported");
        CopyDirty(source.Client, here, there).Should().Be(0, "nothing is written by a device that is stopped");

        target.Client.SetMigrationState(MigrationState.Resuming);
        foreach (byte[] piece in stream)
            target.Client.WriteMigrationData(piece);
        target.Client.SetMigrationState(MigrationState.Stop);

        // Both are stopped with the same state: their streams are equal, byte for byte.
        source.Client.SetMigrationState(MigrationState.Stop);
        StoppedState(target.Client).Should().Equal(StoppedState(source.Client));

        // And it goes on where it was.
        byte[] atRest = there.Slice(0, (int)RamSize).ToArray();
        target.Client.SetMigrationState(MigrationState.Running);
        ulong steps = Steps(target.Client);
        SpinWait.SpinUntil(() => Steps(target.Client) > steps + 1000, TimeSpan.FromSeconds(30)).Should().BeTrue();
        target.Client.SetMigrationState(MigrationState.Stop);
        there.Slice(0, (int)RamSize).SequenceEqual(atRest).Should().BeFalse();
        here.Slice(0, (int)RamSize).SequenceEqual(atRest).Should().BeTrue("the source has stopped for good");
    }

    [Fact]
    public void A_migration_that_is_called_off_leaves_the_source_running()
    {
        using SharedMemory memory = SharedMemory.Create(RamSize);
        using DeviceProcess source = new();
        Start(source.Client, memory);
        source.Client.SetMigrationState(MigrationState.StopCopy);
        Drain(source.Client, []);

        source.Client.SetMigrationState(MigrationState.Running);

        ulong steps = Steps(source.Client);
        SpinWait.SpinUntil(() => Steps(source.Client) > steps, TimeSpan.FromSeconds(30)).Should().BeTrue();
    }

    private static void Start(VfioUserClient client, SharedMemory memory)
    {
        client.MapDma(Ram, RamSize, memory.File);
        Write(client, BusyDevice.SizeRegister, RamSize);
        Write(client, BusyDevice.BaseRegister, Ram);
        client.WriteRegion(0, BusyDevice.GoRegister, [1, 0, 0, 0]);
    }

    private static void Drain(VfioUserClient client, List<byte[]> stream)
    {
        byte[] buffer = new byte[100_000];
        int count;
        do
        {
            count = client.ReadMigrationData(buffer);
            stream.Add(buffer[..count]);
        }
        while (count == buffer.Length);
    }

    private static byte[] StoppedState(VfioUserClient client)
    {
        List<byte[]> stream = [];
        client.SetMigrationState(MigrationState.StopCopy);
        Drain(client, stream);
        client.SetMigrationState(MigrationState.Stop);
        return [.. stream.SelectMany(piece => piece)];
    }

    private static int CopyDirty(VfioUserClient client, SharedMemory from, SharedMemory to)
    {
        ulong[] bitmap = client.GetDirtyPages(Ram, RamSize, Page);
        int[] pages = [.. Enumerable.Range(0, (int)(RamSize / Page)).Where(page => (bitmap[page / 64] >> (page % 64) & 1) != 0)];
        CopyPages(from, to, pages);
        return pages.Length;
    }

    private static void CopyPages(SharedMemory from, SharedMemory to, IEnumerable<int> pages)
    {
        foreach (int page in pages)
            from.Slice((ulong)page * Page, (int)Page).CopyTo(to.Slice((ulong)page * Page, (int)Page));
    }

    private static bool Equal(SharedMemory one, SharedMemory other) =>
        one.Slice(0, (int)RamSize).SequenceEqual(other.Slice(0, (int)RamSize));

    private static void Write(VfioUserClient client, ulong offset, ulong value) =>
        client.WriteRegion(0, offset, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value)));

    private static ulong Steps(VfioUserClient client)
    {
        ulong value = 0;
        client.ReadRegion(0, BusyDevice.StepsRegister, MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return value;
    }
}
