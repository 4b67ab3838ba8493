namespace VfioUser.Disks.Tests;

public sealed class DiskAddressTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("disks-");

    private string DiskPath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("file:")]
    public async Task Path_is_a_file_that_is_made_with_a_size(string prefix)
    {
        using Disk disk = await DiskAddress.Parse(prefix + DiskPath).OpenAsync(new DiskOptions { Size = 1 << 20 });

        disk.Should().BeOfType<FileDisk>().Which.Identity.Should().Be(DiskPath);
        new FileInfo(DiskPath).Length.Should().Be(1 << 20);
    }

    [Fact]
    public async Task Size_of_memory_is_a_disk_in_memory()
    {
        using Disk disk = await DiskAddress.Parse("memory:3M").OpenAsync();

        disk.Should().BeOfType<MemoryDisk>().Which.Size.Should().Be(3 << 20);
    }

    [Fact]
    public async Task Missing_file_is_named()
    {
        await FluentActions.Awaiting(() => DiskAddress.Parse(DiskPath).OpenAsync()).Should().ThrowAsync<IOException>().WithMessage($"There is no {DiskPath}*");
    }

    [Theory]
    [InlineData("memory:")]
    [InlineData("memory:0")]
    [InlineData("memory:much")]
    [InlineData("memory:17T")]
    [InlineData("file:")]
    [InlineData("nbds://host/disk")]
    [InlineData("nbd:///disk")]
    public void Wrong_address_is_refused(string text)
    {
        FluentActions.Invoking(() => DiskAddress.Parse(text)).Should().Throw<ArgumentException>();
    }

    [Theory]
    [InlineData("4096", 4096L)]
    [InlineData("512M", 512L << 20)]
    [InlineData("10g", 10L << 30)]
    [InlineData("2TiB", 2L << 40)]
    [InlineData("-1", null)]
    [InlineData("M", null)]
    [InlineData("9999999999T", null)]
    public void Size_has_a_unit_or_none(string text, long? size)
    {
        ByteSize.TryParse(text).Should().Be(size);
    }
}
