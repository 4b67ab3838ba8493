using System.Diagnostics;

namespace VfioUser.PowerLoss.Tests.Medium;

/// <summary>The server's export as a file, by libnbd's nbdfuse: what is written past the kernel is in the medium's cache.</summary>
internal sealed class MountedFile : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("power-");
    private readonly Process _fuse;

    public MountedFile(FaultServer server)
    {
        FilePath = Path.Combine(_folder.FullName, "disk.img");
        File.WriteAllBytes(FilePath, []);
        string mounted = Path.Combine(_folder.FullName, "mounted");
        _fuse = Process.Start(new ProcessStartInfo("nbdfuse", ["--pidfile", mounted, FilePath, "--unix", server.SocketPath]) { UseShellExecute = false, RedirectStandardError = true })!;
        _fuse.BeginErrorReadLine(); // it complains of the power
        if (!SpinWait.SpinUntil(() => File.Exists(mounted) || _fuse.HasExited, Limit) || _fuse.HasExited)
            throw new InvalidOperationException("nbdfuse has not mounted the export.");
    }

    /// <summary>Whether this machine can mount it.</summary>
    public static string? Missing =>
        !File.Exists("/dev/fuse") ? "there is no /dev/fuse"
        : Environment.GetEnvironmentVariable("VFIO_USER_FUSE_MISSING") is not null ? "this machine does not let it mount"
        : !IsInstalled("nbdfuse") || !IsInstalled("fusermount3") ? "nbdfuse or fusermount3 is not installed"
        : null;

    public string FilePath { get; }

    public void Dispose()
    {
        using (Process unmounting = Process.Start(new ProcessStartInfo("fusermount3", ["-u", "-z", FilePath]) { UseShellExecute = false })!)
            unmounting.WaitForExit();
        _fuse.WaitForExit();
        _fuse.Dispose();
        _folder.Delete(recursive: true);
    }

    private static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
}
