using Microsoft.Win32.SafeHandles;
using VfioUser.Disks.Tests.Support;

namespace VfioUser.Disks.Tests.Files;

public sealed class FileDiskTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("disks-");

    // not on a tmpfs, which not every kernel can open with O_DIRECT
    private readonly DirectoryInfo _onDisk = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));

    private string DiskPath => Path.Combine(_folder.FullName, "disk.img");

    private string OnDisk => Path.Combine(_onDisk.FullName, "disk.img");

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _onDisk.Delete(recursive: true);
    }

    [Fact]
    public void Zeroes_and_trim_leave_zeros()
    {
        File.WriteAllBytes(DiskPath, Pattern.Of(4 << 20));
        using FileDisk disk = FileDisk.Open(DiskPath);
        byte[] found = new byte[4 << 20];

        disk.WriteZeroes(4096, 100_000, deallocate: false);
        disk.WriteZeroes(1 << 20, 1 << 20, deallocate: true);
        disk.Read(0, found);
        byte[] expected = Pattern.Of(4 << 20);
        expected.AsSpan(4096, 100_000).Clear();
        expected.AsSpan(1 << 20, 1 << 20).Clear();
        disk.Clear();

        found.Should().Equal(expected);
        disk.Read(0, found);
        found.AsSpan().ContainsAnyExcept((byte)0).Should().BeFalse();
        disk.Size.Should().Be(4 << 20);
        new FileInfo(DiskPath).Length.Should().Be(4 << 20);
    }

    [Fact]
    public void Flush_that_the_system_refuses_throws()
    {
        using SafeFileHandle none = new(0x7FFF_FFF0, ownsHandle: false);

        // RandomAccess.FlushToDisk loses what fsync returns
        FluentActions.Invoking(() => FileSystemCalls.Flush(none, "disk.img")).Should().Throw<IOException>().WithMessage("disk.img: *")
            .Which.HResult.Should().Be(9, "the errno is EBADF");
    }

    [Fact]
    public void Disk_in_use_or_of_another_size_or_empty_is_refused_by_name()
    {
        using (FileDisk.Open(DiskPath, 1 << 20))
            FluentActions.Invoking(() => FileDisk.Open(DiskPath)).Should().Throw<IOException>().WithMessage($"*{DiskPath}*");
        string empty = Path.Combine(_folder.FullName, "empty.img");
        File.WriteAllBytes(empty, []);

        FluentActions.Invoking(() => FileDisk.Open(DiskPath, 2 << 20)).Should().Throw<IOException>().WithMessage("*1048576 bytes, not 2097152*");
        FluentActions.Invoking(() => FileDisk.Open(empty)).Should().Throw<IOException>().WithMessage("*empty*");
        FluentActions.Invoking(() => FileDisk.Open(Path.Combine(_folder.FullName, "none"))).Should().Throw<FileNotFoundException>();
    }

    [Fact]
    public void Memory_of_others_need_not_be_aligned_past_the_page_cache()
    {
        using FileDisk disk = FileDisk.Open(OnDisk, new FileDiskOptions { Size = 1 << 20, Cache = FileCacheMode.None });
        byte[] data = Pattern.Of(4096 + 1);
        byte[] found = new byte[4096 + 1];

        Wait.For(disk.WriteAsync(8192, data.AsMemory(1)));
        Wait.For(disk.ReadAsync(8192, found.AsMemory(1)));

        found[1..].Should().Equal(data[1..]);
        disk.Hints.BlockSize.Should().BeOneOf(512, 4096);
    }
}
