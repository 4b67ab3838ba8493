using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>What a guest consists of beside its kernel: modules, loaded at boot in this order, programs, and files.</summary>
/// <param name="modules">Names of kernel modules.</param>
/// <param name="programs">Names of programs.</param>
/// <param name="files">Gives paths on the host, when it is built; a path stands for its content.</param>
/// <remarks>Any thread, any process: the file is named by what goes into it and appears only when it is whole.</remarks>
internal sealed class Initramfs(IReadOnlyList<string> modules, IReadOnlyList<string> programs, Func<IReadOnlyList<string>>? files = null)
{
    /// <summary>Makes the file, unless it is there already, and returns its path.</summary>
    public string Build()
    {
        string folder = Path.Combine(VmFolder.Folder, "initramfs");
        string path = Path.Combine(folder, $"{ContentHash()}.cpio.gz");
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(folder);
            Script.Run("make-initramfs", [VmFolder.Folder, path, Script.PathOf("init"), .. modules, "--", .. programs, "--", .. Files])
                .OutputOrThrow("make-initramfs");
        }

        return path;
    }

    private IReadOnlyList<string> Files => files?.Invoke() ?? [];

    private static string Identity(string path)
    {
        var file = new FileInfo(path);
        return string.Create(CultureInfo.InvariantCulture, $"{path} {file.Length} {file.LastWriteTimeUtc.Ticks}");
    }

    private string ContentHash()
    {
        string content = string.Join('\n',
        [
            VmFolder.KernelRelease,
            File.ReadAllText(Script.PathOf("make-initramfs")),
            File.ReadAllText(Script.PathOf("init")),
            .. modules, "--", .. programs, "--", .. Files.Select(Identity),
        ]);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..16];
    }
}
