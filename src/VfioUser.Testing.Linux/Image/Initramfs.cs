using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Testing.Linux;

/// <summary>What a guest consists of beside its kernel: modules, loaded at boot in this order, programs, and files.</summary>
/// <param name="modules">Names of kernel modules; with a slash, files.</param>
/// <param name="programs">Names of programs or packages; with a slash, files of this host.</param>
/// <param name="files">Gives paths on the host, when it is built; a path stands for its content.</param>
/// <remarks>Any thread, any process: the file is named by what goes into it and appears only when it is whole.</remarks>
internal sealed class Initramfs(IReadOnlyList<string> modules, IReadOnlyList<string> programs, Func<IReadOnlyList<string>>? files = null)
{
    private IReadOnlyList<string> Files => files?.Invoke() ?? [];

    /// <summary>Makes the file of the guest that is installed, unless it is there already, and returns its path.</summary>
    public string Build() => Build(GuestFolder.Installed);

    /// <summary>Fetches the packages among the programs, where they are not there yet.</summary>
    public async Task FetchPackagesAsync(GuestFolder folder, Action<string>? progress, CancellationToken cancellationToken)
    {
        foreach (string package in programs.Where(name => !name.Contains('/', StringComparison.Ordinal) && !folder.HasProgram(name)))
            await folder.FetchPackageAsync(package, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes the file, unless it is there already, and returns its path.</summary>
    /// <exception cref="InvalidOperationException">Something of it is not there; the message names it.</exception>
    public string Build(GuestFolder folder)
    {
        string cache = folder.In("initramfs");
        string path = Path.Combine(cache, $"{ContentHash(folder)}.cpio.gz");
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(cache);
            folder.Scripts.Run("make-initramfs", [folder.Path, path, folder.Scripts.PathOf("init"), .. modules, "--", .. programs, "--", .. Files])
                .OutputOrThrow("make-initramfs");
        }
        return path;
    }

    private static string Identity(string path)
    {
        FileInfo file = new(path);
        if (!file.Exists)
            throw new InvalidOperationException($"There is no file {path}.");
        return string.Create(CultureInfo.InvariantCulture, $"{path} {file.Length} {file.LastWriteTimeUtc.Ticks}");
    }

    private static string NameOrIdentity(string name) => name.Contains('/', StringComparison.Ordinal) ? Identity(name) : name;

    private string ContentHash(GuestFolder folder)
    {
        string content = string.Join('\n',
        [
            folder.KernelRelease,
            File.ReadAllText(folder.Scripts.PathOf("make-initramfs")),
            File.ReadAllText(folder.Scripts.PathOf("init")),
            .. modules.Select(NameOrIdentity), "--", .. programs.Select(NameOrIdentity), "--", .. Files.Select(Identity),
        ]);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..16];
    }
}
