using System.CommandLine;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;

namespace Virtio.Kinds;

/// <summary>A folder of the host, shared with a guest.</summary>
internal sealed class FolderKind : DeviceKind
{
    private readonly Option<string> _folder = new("--folder") { Description = "The folder.", Required = true };

    private readonly Option<string> _tag = new("--tag") { Description = "By which the guest mounts it.", DefaultValueFactory = _ => "share" };

    private readonly Option<bool> _readOnly = new("--read-only") { Description = "The guest only reads." };

    public override string Name => "fs";

    public override string Description => "Serves a folder: mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt.";

    public override IReadOnlyList<Option> Options => [_folder, _tag, _readOnly];

    public override Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets) => Task.FromResult(new ServedDevices(
        new VirtioSharedFolder(parsed.GetRequiredValue(_folder), new() { Tag = parsed.GetValue(_tag)!, ReadOnly = parsed.GetValue(_readOnly) })));

    public override void Demo(TextWriter output)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtio-demo-");
        try
        {
            using VirtioSharedFolder device = new(folder.FullName);
            using TestGuest guest = TestGuest.Attach(device);
            VirtioDriver driver = VirtioDriver.Start(guest);

            byte[] version = [21, 0, 0, 0, 100, 0xFF, 0xFF, 0, 0x20, 0, 0, 8, 0, .. "9P2000.L"u8];
            byte[] answer = driver.Queues[0].Request(version, answerLength: 64);

            output.WriteLine($"fs: the guest and the folder agree on {System.Text.Encoding.ASCII.GetString(answer.AsSpan(13))}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
