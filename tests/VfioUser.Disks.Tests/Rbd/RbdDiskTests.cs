using VfioUser.Disks.Tests.Support;
using VfioUser.Tests.Ceph;

namespace VfioUser.Disks.Tests.Rbd;

/// <summary>Images in a cluster that works.</summary>
[Collection("Ceph")] // one cluster: one test at a time
public sealed class RbdDiskTests
{
    private const int ObjectSize = 4 << 20;

    [CephFact]
    public async Task Image_has_what_was_written_zeroed_and_discarded()
    {
        string image = await CephCluster.CreateImage(64);
        byte[] expected = Pattern.Of(2 * ObjectSize);
        using (RbdDisk disk = await CephCluster.Open(image))
        {
            // several at once, of different lengths, some of them across the end of an object
            List<Task> writing = [];
            for (int offset = 0, i = 0; offset < expected.Length; i++)
            {
                int length = Math.Min(512 * (1 + i * 37 % 300), expected.Length - offset);
                writing.Add(disk.WriteAsync(offset, expected.AsMemory(offset, length)).AsTask());
                offset += length;
            }
            await Task.WhenAll(writing).WaitAsync(CephCluster.Limit);
            await disk.WriteZeroesAsync(512, 1024, deallocate: false).AsTask().WaitAsync(CephCluster.Limit);
            await disk.WriteZeroesAsync(8192, ObjectSize, deallocate: true).AsTask().WaitAsync(CephCluster.Limit);
            await disk.FlushAsync().AsTask().WaitAsync(CephCluster.Limit);
            expected.AsSpan(512, 1024).Clear();
            expected.AsSpan(8192, ObjectSize).Clear();

            disk.Size.Should().Be(64 << 20);
            disk.Hints.BoundaryLength.Should().Be(ObjectSize);
            (await Read(disk, 0, expected.Length)).Should().Equal(expected);
            await disk.DeallocateAsync(ObjectSize, ObjectSize).AsTask().WaitAsync(CephCluster.Limit);
            expected.AsSpan(ObjectSize).Clear(); // a whole object is removed
            (await Read(disk, 0, expected.Length)).Should().Equal(expected);
        }

        using RbdDisk again = await CephCluster.Open(image, new RbdDiskOptions { IsReadOnly = true });
        (await Read(again, 0, expected.Length)).Should().Equal(expected, "it is in the cluster");
        byte[] exported = await Export(image);
        exported.AsSpan(0, expected.Length).SequenceEqual(expected).Should().BeTrue("Ceph's own program sees the same");
        exported.AsSpan(expected.Length).ContainsAnyExcept((byte)0).Should().BeFalse();
    }

    [CephFact]
    public async Task Flushed_writes_are_seen_by_others_while_the_disk_is_open()
    {
        string image = await CephCluster.CreateImage(16);
        byte[] data = Pattern.Of(4096);
        using RbdDisk disk = await CephCluster.Open(image);
        await disk.WriteAsync(0, data).AsTask().WaitAsync(CephCluster.Limit);
        await disk.FlushAsync().AsTask().WaitAsync(CephCluster.Limit);
        // behind the first flush, librbd may keep what it has answered
        await disk.WriteAsync(4096, data).AsTask().WaitAsync(CephCluster.Limit);
        await disk.FlushAsync().AsTask().WaitAsync(CephCluster.Limit);

        using RbdDisk other = await CephCluster.Open(image, new RbdDiskOptions { IsReadOnly = true });

        (await Read(other, 0, 8192)).Should().Equal([.. data, .. data]);
    }

    [CephFact]
    public async Task Resize_by_others_is_told_and_accesses_stay_within()
    {
        string image = await CephCluster.CreateImage(16);
        using RbdDisk disk = await CephCluster.Open(image);
        await disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(CephCluster.Limit);
        SemaphoreSlim told = new(0);
        disk.SizeChanged += (_, _) => told.Release();

        await CephCluster.Resize(image, 32);
        (await told.WaitAsync(CephCluster.Limit)).Should().BeTrue();
        disk.Size.Should().Be(32 << 20);
        await disk.WriteAsync((32 << 20) - 4096, Pattern.Of(4096)).AsTask().WaitAsync(CephCluster.Limit);
        (await Read(disk, (32 << 20) - 4096, 4096)).Should().Equal(Pattern.Of(4096));

        await CephCluster.Resize(image, 8);
        (await told.WaitAsync(CephCluster.Limit)).Should().BeTrue();
        disk.Size.Should().Be(8 << 20);
        foreach (long offset in (ReadOnlySpan<long>)[(8 << 20) - 512, 8 << 20])
        {
            Fails(() => disk.WriteAsync(offset, new byte[1024]), DiskError.Media);
            FluentActions.Invoking(() => Wait.For(disk.ReadAsync(offset, new byte[1024]))).Should().Throw<IOException>();
        }
    }

    [CephFact]
    public async Task Image_has_one_writer_at_a_time_and_is_handed_over()
    {
        string image = await CephCluster.CreateImage(16);
        byte[] data = Pattern.Of(4096);
        using RbdDisk source = await CephCluster.Open(image);
        using RbdDisk target = await CephCluster.Open(image, new RbdDiskOptions { IsIncoming = true });
        await source.WriteAsync(0, data).AsTask().WaitAsync(CephCluster.Limit);

        await FluentActions.Awaiting(() => CephCluster.Open(image)).Should().ThrowAsync<IOException>().WithMessage("*in use*");
        FluentActions.Invoking(target.Activate).Should().Throw<IOException>().WithMessage("*in use*");
        await Read(target, 0, 4096); // caches nothing that the source changes later
        await source.WriteAsync(4096, data).AsTask().WaitAsync(CephCluster.Limit);
        await source.FlushAsync().AsTask().WaitAsync(CephCluster.Limit);
        source.Inactivate();
        target.Activate();

        (source.IsActive, target.IsActive).Should().Be((false, true));
        target.Identity.Should().Be(source.Identity);
        (await Read(target, 0, 8192)).Should().Equal([.. data, .. data]);
        await target.WriteAsync(0, new byte[4096]).AsTask().WaitAsync(CephCluster.Limit);
        FluentActions.Invoking(source.Activate).Should().Throw<IOException>().WithMessage("*in use*");
    }

    [CephFact]
    public async Task Image_without_the_feature_is_opened_and_that_is_logged()
    {
        string image = await CephCluster.CreateImage(16, "--image-feature", "layering");
        List<string> lines = [];

        using RbdDisk disk = await CephCluster.Open(image, new RbdDiskOptions { Log = lines.Add });

        lines.Should().ContainSingle().Which.Should().Contain("exclusive-lock");
        await disk.WriteAsync(0, new byte[512]).AsTask().WaitAsync(CephCluster.Limit);
    }

    [CephFact]
    public async Task Snapshot_is_as_it_was_and_not_written()
    {
        string image = await CephCluster.CreateImage(16);
        byte[] data = Pattern.Of(4096);
        using RbdDisk disk = await CephCluster.Open(image);
        await disk.WriteAsync(0, data).AsTask().WaitAsync(CephCluster.Limit);
        await disk.FlushAsync().AsTask().WaitAsync(CephCluster.Limit);
        await CephCluster.Run("rbd", ["snap", "create", $"vm/{image}@monday", "--no-progress"]);
        await disk.WriteAsync(0, new byte[4096]).AsTask().WaitAsync(CephCluster.Limit);

        using RbdDisk snapshot = await CephCluster.Open($"{image}@monday");

        snapshot.IsReadOnly.Should().BeTrue();
        (await Read(snapshot, 0, 4096)).Should().Equal(data);
        Fails(() => snapshot.WriteAsync(0, new byte[512]), DiskError.WriteProtected);
        Fails(() => snapshot.WriteZeroesAsync(0, 512, deallocate: true), DiskError.WriteProtected);
        await snapshot.FlushAsync();
    }

    [CephFact]
    public async Task Wrong_pool_image_and_user_are_named()
    {
        string image = await CephCluster.CreateImage(16);
        string keyring = $":keyring={CephCluster.Folder}/guest.keyring";

        await Refused($"rbd:none/{image}:id=guest{keyring}", "*pool none*");
        await Refused($"rbd:vm/none:id=guest{keyring}", "*image none: No such file*");
        await Refused($"rbd:vm/{image}@none:id=guest{keyring}", "*No such file*");
        await Refused($"rbd:vm/{image}:id=nobody{keyring}", "*cluster cannot be reached*");
        await Refused($"rbd:vm/{image}:no_option=1", "*option no_option*");
        await Refused($@"rbd:vm/{image}:client_mount_timeout=1:mon_host=127.0.0.1\:1", "*cluster cannot be reached*");
    }

    [CephFact]
    public async Task Disposing_waits_for_what_is_under_way_and_nothing_begins_after_it()
    {
        string image = await CephCluster.CreateImage(64);
        RbdDisk disk = await CephCluster.Open(image);
        Task[] writing = [.. Enumerable.Range(0, 200).Select(i => disk.WriteAsync(i * 65536, Pattern.Of(65536, i)).AsTask())];

        await Task.Run(disk.Dispose).WaitAsync(CephCluster.Limit);

        await Task.WhenAll(writing).WaitAsync(CephCluster.Limit);
        FluentActions.Invoking(() => Wait.For(disk.WriteAsync(0, new byte[512]))).Should().Throw<ObjectDisposedException>();
        using RbdDisk again = await CephCluster.Open(image);
        for (int i = 0; i < writing.Length; i++)
            (await Read(again, i * 65536, 65536)).AsSpan().SequenceEqual(Pattern.Of(65536, i)).Should().BeTrue("write {0} was answered", i);
    }

    private static async Task<byte[]> Read(Disk disk, long offset, int length)
    {
        byte[] found = new byte[length];
        await disk.ReadAsync(offset, found).AsTask().WaitAsync(CephCluster.Limit);
        return found;
    }

    private static void Fails(Func<ValueTask> access, DiskError error) =>
        FluentActions.Invoking(() => Wait.For(access())).Should().Throw<DiskException>().Which.Error.Should().Be(error);

    private static async Task Refused(string address, string message) =>
        await FluentActions.Awaiting(() => RbdDisk.OpenAsync(address).WaitAsync(CephCluster.Limit)).Should().ThrowAsync<IOException>().WithMessage(message);

    private static async Task<byte[]> Export(string image)
    {
        string file = Path.Combine(CephCluster.Folder!, image);
        await CephCluster.Run("rbd", ["export", "vm/" + image, file, "--no-progress"]);
        return await File.ReadAllBytesAsync(file);
    }
}
