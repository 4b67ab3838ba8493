using System.Text;

namespace VfioUser.Virtio.Tests;

public sealed class SharedFolderTests : IDisposable
{
    private readonly DirectoryInfo _outside = Directory.CreateTempSubdirectory("shared-");
    private readonly string _root;

    public SharedFolderTests() => _root = Directory.CreateDirectory(Path.Combine(_outside.FullName, "root")).FullName;

    public static TheoryData<Layout> AllLayouts => Layouts.All;

    public void Dispose() => _outside.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void File_is_made_written_and_read(Layout layout)
    {
        using VirtioSharedFolder device = new(_root);
        using TestGuest guest = TestGuest.Attach(device);
        NinePDriver driver = new(guest, layout.Options());
        driver.Walk(1);

        driver.Call(NinePType.Create, 1u, "hello", 2u, 0x1A4u, 0u);
        driver.Call(NinePType.Write, 1u, 3ul, "world"u8.ToArray()).Should().Equal(5, 0, 0, 0);
        driver.Call(NinePType.Fsync, 1u, 0u);

        File.ReadAllBytes(Path.Combine(_root, "hello")).Should().Equal("\0\0\0world"u8.ToArray());
        driver.Walk(2, "hello");
        driver.Call(NinePType.Open, 2u, 0u);
        driver.Call(NinePType.Read, 2u, 2ul, 100u).Should().Equal([6, 0, 0, 0, .. "\0world"u8]);
        driver.Call(NinePType.Read, 2u, 8ul, 100u).Should().Equal(0, 0, 0, 0);
        driver.Fail(NinePType.Write, 2u, 0ul, new byte[1]).Should().Be(9);
        device.Files.Should().Be(3);
        driver.Call(NinePType.Clunk, 2u);
        driver.Driver.Reset();
        device.Files.Should().Be(0);
    }

    [Fact]
    public void Tag_is_in_the_configuration()
    {
        using VirtioSharedFolder device = new(_root, new() { Tag = "home" });
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);

        driver.ReadConfig<ushort>().Should().Be(4);
        driver.ReadConfig<uint>(2).Should().Be(BitConverter.ToUInt32("home"u8));
    }

    [Fact]
    public void Folder_of_many_files_is_read_in_pieces()
    {
        string[] names = [.. Enumerable.Range(0, 700).Select(i => $"file number {i}")];
        foreach (string name in names)
            File.WriteAllText(Path.Combine(_root, name), "");
        using VirtioSharedFolder device = new(_root);
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { MemorySize = 64 << 20 });
        NinePDriver driver = new(guest);
        driver.Walk(1);
        driver.Call(NinePType.Open, 1u, 0u);

        List<string> found = [];
        for (ulong offset = 0; ;)
        {
            byte[] answer = driver.Call(NinePType.ReadDir, 1u, offset, 4000u);
            answer.Length.Should().BeLessThanOrEqualTo(4004);
            if (answer.Length == 4)
                break;
            for (int at = 4; at < answer.Length;)
            {
                offset = BitConverter.ToUInt64(answer, at + 13);
                int length = BitConverter.ToUInt16(answer, at + 22);
                found.Add(Encoding.UTF8.GetString(answer, at + 24, length));
                at += 24 + length;
            }
        }

        found.Should().BeEquivalentTo([.. names, ".", ".."]);
    }

    [Fact]
    public void Names_are_made_changed_and_removed()
    {
        using VirtioSharedFolder device = new(_root);
        using TestGuest guest = TestGuest.Attach(device);
        NinePDriver driver = new(guest);

        driver.Call(NinePType.Mkdir, NinePDriver.Root, "folder", 0x1EDu, 0u);
        driver.Walk(1, "folder");
        driver.Call(NinePType.Symlink, 1u, "link", "../somewhere", 0u);
        driver.Walk(2, "folder", "link");
        Encoding.UTF8.GetString(driver.Call(NinePType.ReadLink, 2u), 2, 12).Should().Be("../somewhere");
        driver.Call(NinePType.Mknod, 1u, "pipe", 0x1000u | 0x180u, 0u, 0u, 0u);
        driver.Call(NinePType.Mknod, 1u, "file", 0x8000u | 0x180u, 0u, 0u, 0u);
        driver.Walk(3, "folder", "file");
        driver.Call(NinePType.Link, NinePDriver.Root, 3u, "second");
        driver.Call(NinePType.RenameAt, NinePDriver.Root, "second", 1u, "third");
        driver.Call(NinePType.UnlinkAt, 1u, "file", 0u);
        driver.Fail(NinePType.UnlinkAt, NinePDriver.Root, "folder", 0x200u).Should().Be(39, "it is not empty");

        Directory.EnumerateFileSystemEntries(Path.Combine(_root, "folder")).Select(Path.GetFileName).Should().BeEquivalentTo("link", "pipe", "third");
        File.Exists(Path.Combine(_root, "second")).Should().BeFalse();
    }

    [Fact]
    public void Attributes_are_set_and_got()
    {
        string path = Path.Combine(_root, "file");
        File.WriteAllText(path, "0123456789");
        using VirtioSharedFolder device = new(_root);
        using TestGuest guest = TestGuest.Attach(device);
        NinePDriver driver = new(guest);
        driver.Walk(1, "file");

        // mode (with set-user-ID), size, time of the last change
        driver.Call(NinePType.SetAttr, 1u, 1u | 8u | 0x20u | 0x100u, 0x980u, 0u, 0u, 4ul, 0ul, 0ul, 1_000_000_000ul, 500ul);

        File.ReadAllText(path).Should().Be("0123");
        new FileInfo(path).UnixFileMode.Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetLastWriteTimeUtc(path).Should().Be(DateTime.UnixEpoch.AddSeconds(1_000_000_000).AddTicks(5));
        byte[] attributes = driver.Call(NinePType.GetAttr, 1u, 0x7FFul);
        attributes.Should().HaveCount(153);
        BitConverter.ToUInt32(attributes, 21).Should().Be(0x8180);
        BitConverter.ToUInt64(attributes, 49).Should().Be(4);
        driver.Call(NinePType.StatFs, 1u).Should().HaveCount(60);
    }

    [Fact]
    public void Nothing_is_changed_in_a_folder_that_is_shared_to_be_read()
    {
        File.WriteAllText(Path.Combine(_root, "file"), "text");
        using VirtioSharedFolder device = new(_root, new() { ReadOnly = true });
        using TestGuest guest = TestGuest.Attach(device);
        NinePDriver driver = new(guest);
        driver.Walk(1);
        driver.Walk(2, "file");

        driver.Fail(NinePType.Create, 1u, "new", 2u, 0x1A4u, 0u).Should().Be(30);
        driver.Fail(NinePType.Open, 2u, 1u).Should().Be(30);
        driver.Fail(NinePType.Open, 2u, 2u).Should().Be(30);
        driver.Fail(NinePType.Open, 2u, 0x200u).Should().Be(30);
        driver.Fail(NinePType.UnlinkAt, 1u, "file", 0u).Should().Be(30);
        driver.Fail(NinePType.RenameAt, 1u, "file", 1u, "other").Should().Be(30);
        driver.Fail(NinePType.SetAttr, 2u, 8u, 0u, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul).Should().Be(30);
        driver.Fail(NinePType.Mkdir, 1u, "folder", 0x1EDu, 0u).Should().Be(30);
        driver.Call(NinePType.Open, 2u, 0u);

        driver.Call(NinePType.Read, 2u, 0ul, 100u).Should().Equal([4, 0, 0, 0, .. "text"u8]);
        Directory.EnumerateFileSystemEntries(_root).Should().ContainSingle();
    }

    [Fact]
    public void Folder_that_is_not_there_is_refused() =>
        FluentActions.Invoking(() => new VirtioSharedFolder(Path.Combine(_root, "none"))).Should().Throw<IOException>();
}
