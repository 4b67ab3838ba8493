using System.Buffers.Binary;

namespace VfioUser.Virtio.Tests;

/// <summary>Guests that try to leave the folder, or send what is no request.</summary>
public sealed class HostileSharedFolderDriverTests : IDisposable
{
    private readonly DirectoryInfo _outside = Directory.CreateTempSubdirectory("shared-");
    private readonly string _root;
    private readonly string _secret;
    private readonly VirtioSharedFolder _device;
    private readonly TestGuest _guest;
    private readonly NinePDriver _driver;

    public HostileSharedFolderDriverTests()
    {
        _root = Directory.CreateDirectory(Path.Combine(_outside.FullName, "root")).FullName;
        _secret = Path.Combine(_outside.FullName, "secret");
        File.WriteAllText(_secret, "secret");
        File.CreateSymbolicLink(Path.Combine(_root, "file"), _secret);
        File.CreateSymbolicLink(Path.Combine(_root, "folder"), _outside.FullName);
        _device = new VirtioSharedFolder(_root, new() { MaxFiles = 16 });
        _guest = TestGuest.Attach(_device, new TestGuestOptions { MemorySize = 256 << 20 });
        _driver = new NinePDriver(_guest);
    }

    public void Dispose()
    {
        File.ReadAllText(_secret).Should().Be("secret");
        _outside.EnumerateFileSystemInfos().Should().HaveCount(2);
        _guest.Dispose();
        _device.Dispose();
        _outside.Delete(recursive: true);
    }

    [Fact]
    public void Links_are_not_followed()
    {
        _driver.Walk(1, "file");
        _driver.Fail(NinePType.Open, 1u, 0u).Should().Be(13);
        _driver.Fail(NinePType.Open, 1u, 2u).Should().Be(13);
        _driver.Fail(NinePType.SetAttr, 1u, 8u, 0u, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul).Should().Be(22);
        _driver.Fail(NinePType.SetAttr, 1u, 1u, 0x1FFu, 0u, 0u, 0ul, 0ul, 0ul, 0ul, 0ul).Should().Be(95);
        _driver.Fail(NinePType.Link, NinePDriver.Root, 1u, "hard").Should().Be(1);
        _driver.Walk(2, "folder");
        _driver.Fail(NinePType.Walk, 2u, 3u, (ushort)1, "secret").Should().Be(20);
        _driver.Fail(NinePType.UnlinkAt, 2u, "secret", 0u).Should().Be(20);
        _driver.Fail(NinePType.Create, 2u, "new", 2u, 0x1A4u, 0u).Should().Be(20);
        BitConverter.ToUInt16(_driver.Call(NinePType.Walk, NinePDriver.Root, 4u, (ushort)2, "folder", "secret")).Should().Be(1, "the second is not found");
        _driver.Fail(NinePType.Clunk, 4u).Should().Be(9);
        _driver.Walk(5);
        _driver.Fail(NinePType.Create, 5u, "file", 2u, 0x1A4u, 0u).Should().Be(13);
        _driver.Fail(NinePType.Create, 5u, "file", 0x202u, 0x1A4u, 0u).Should().Be(13);
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("../secret")]
    [InlineData("/etc")]
    [InlineData("a/b")]
    [InlineData("a\0b")]
    public void Names_are_of_one_file_in_the_folder(string name)
    {
        _driver.Walk(1);
        _driver.Fail(NinePType.Walk, NinePDriver.Root, 2u, (ushort)1, name).Should().Be(2);
        _driver.Fail(NinePType.Create, 1u, name, 2u, 0x1A4u, 0u).Should().Be(22);
        _driver.Fail(NinePType.Mkdir, 1u, name, 0x1EDu, 0u).Should().Be(22);
        _driver.Fail(NinePType.Symlink, 1u, name, "x", 0u).Should().Be(22);
        _driver.Fail(NinePType.Mknod, 1u, name, 0x8180u, 0u, 0u, 0u).Should().Be(22);
        _driver.Fail(NinePType.Link, NinePDriver.Root, 1u, name).Should().Be(22);
        _driver.Fail(NinePType.UnlinkAt, 1u, name, 0x200u).Should().Be(22);
        _driver.Fail(NinePType.RenameAt, 1u, name, 1u, "x").Should().Be(22);
        _driver.Fail(NinePType.RenameAt, 1u, "file", 1u, name).Should().Be(22);
    }

    [Fact]
    public void Pipes_are_not_opened_and_devices_not_made()
    {
        _driver.Call(NinePType.Mknod, NinePDriver.Root, "pipe", 0x1180u, 0u, 0u, 0u);
        _driver.Walk(1, "pipe");
        _driver.Fail(NinePType.Open, 1u, 0u).Should().Be(13);
        _driver.Walk(2);
        _driver.Fail(NinePType.Create, 2u, "pipe", 1u, 0x180u, 0u).Should().Be(13);
        _driver.Fail(NinePType.Mknod, NinePDriver.Root, "null", 0x2180u, 1u, 3u, 0u).Should().Be(1);
        _driver.Fail(NinePType.Mknod, NinePDriver.Root, "disk", 0x6180u, 8u, 0u, 0u).Should().Be(1);
    }

    [Fact]
    public void Numbers_of_files_are_bounded()
    {
        for (uint fid = 1; fid < 16; fid++)
            _driver.Walk(fid);

        _driver.Fail(NinePType.Walk, NinePDriver.Root, 16u, (ushort)0).Should().Be(24);
        _driver.Fail(NinePType.Walk, NinePDriver.Root, uint.MaxValue, (ushort)0).Should().Be(9);
        _device.Files.Should().Be(16);
        _driver.Walk(5, "file");
        _driver.Call(NinePType.Clunk, 1u);
        _driver.Walk(17);
    }

    [Fact]
    public void Messages_that_are_none_are_refused()
    {
        _driver.Fail(NinePType.Walk, NinePDriver.Root).Should().Be(22);
        _driver.Fail(NinePType.Walk, NinePDriver.Root, 1u, (ushort)17).Should().Be(22);
        _driver.Fail(NinePType.Open, 99u, 0u).Should().Be(9);
        _driver.Fail(NinePType.Read, NinePDriver.Root, 0ul, 100u).Should().Be(9, "it is not open");
        _driver.Fail(NinePType.XattrWalk, NinePDriver.Root, 1u, "user.x").Should().Be(95);
        _driver.Fail((NinePType)200).Should().Be(95);
        _driver.Fail(NinePType.Auth, 1u, "guest", "").Should().Be(95);

        byte[] wrongLength = [100, 0, 0, 0, 120, 0, 0, 0, 0, 0, 0];
        _driver.Raw(wrongLength)[4].Should().Be(7);
        _driver.Driver.ReadNeedsReset().Should().BeFalse();
    }

    [Theory]
    [InlineData(6, 100)]
    [InlineData(11, 10)]
    public void Requests_without_a_header_or_room_are_an_error_of_the_driver(int length, int room)
    {
        _driver.Driver.Queues[0].Request(new byte[length], room).Should().BeEmpty();

        _driver.Driver.ReadNeedsReset().Should().BeTrue();
        new NinePDriver(_guest).Walk(1, "file");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_requests_stay_in_the_folder(int seed)
    {
        Random random = new(seed);
        NinePType[] types = [.. Enum.GetValues<NinePType>().Where(type => type is not (NinePType.Error or NinePType.SetAttr))]; // a folder without rights would have to be mended;
        string[] names = ["file", "folder", "..", "a", "b", "secret", "../secret", ""];
        for (int i = 0; i < 5000; i++)
        {
            byte[] body = new byte[random.Next(60)];
            random.NextBytes(body);
            // small numbers, and names, mean something
            for (int at = 0; at + 4 <= body.Length && random.Next(4) > 0; at += 4)
            {
                if (random.Next(3) > 0)
                    BinaryPrimitives.WriteUInt32LittleEndian(body.AsSpan(at), (uint)random.Next(8));
                byte[] name = System.Text.Encoding.UTF8.GetBytes(names[random.Next(names.Length)]);
                if (random.Next(3) == 0 && at + 2 + name.Length <= body.Length)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(at), (ushort)name.Length);
                    name.CopyTo(body, at + 2);
                }
            }
            byte[] message = [.. BitConverter.GetBytes(7 + body.Length), (byte)types[random.Next(types.Length)], 1, 0, .. body];
            _driver.Raw(message).Should().HaveCountGreaterThanOrEqualTo(7);
        }

        NinePDriver fresh = new(_guest);
        fresh.Call(NinePType.Mkdir, NinePDriver.Root, "still here", 0x1EDu, 0u);
        Directory.Exists(Path.Combine(_root, "still here")).Should().BeTrue();
    }
}
