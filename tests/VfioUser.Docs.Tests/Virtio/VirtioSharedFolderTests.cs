using VfioUser.Testing;
using VfioUser.Virtio;

namespace VfioUser.Docs.Tests.Virtio;

/// <summary>The snippets of the shared folder in docs/virtio.md.</summary>
public sealed class VirtioSharedFolderTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Folder_has_a_tag()
    {
        string path = _folder.FullName;

        using VirtioSharedFolder device = new(path, new() { Tag = "work", ReadOnly = true });

        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver.Start(guest).ReadConfig<uint>(2).Should().Be(BitConverter.ToUInt32("work"u8));
    }
}
