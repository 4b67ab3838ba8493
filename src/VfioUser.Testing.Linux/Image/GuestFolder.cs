namespace VfioUser.Testing.Linux;

/// <summary>The folder that has QEMU and what guests are made of. Immutable.</summary>
internal sealed class GuestFolder
{
    private static readonly Lazy<(GuestFolder? Folder, string? Missing)> Found = new(Find);

    private GuestFolder(string path, Scripts scripts, string qemu)
    {
        Path = path;
        Scripts = scripts;
        Qemu = qemu;
    }

    /// <summary>Why there is none, in a line; null if there is one. Looked at once in a process.</summary>
    public static string? Missing => Found.Value.Missing;

    /// <summary>The one that is there.</summary>
    /// <exception cref="InvalidOperationException">There is none: <see cref="Missing"/>.</exception>
    public static GuestFolder Installed => Found.Value.Folder ?? throw new InvalidOperationException(Missing);

    public string Path { get; }

    public Scripts Scripts { get; }

    /// <summary>The program that starts QEMU.</summary>
    public string Qemu { get; }

    public string KernelRelease => File.ReadAllText(In("guest", "kernel-release")).Trim();

    public string Kernel => In("guest", "boot", $"vmlinuz-{KernelRelease}");

    /// <summary>Where guests are: <c>$VFIO_USER_VM_FOLDER</c>, or <c>vfio-user-vm</c> in the user's cache.</summary>
    public static string DefaultPath => Variable("VFIO_USER_VM_FOLDER")
        ?? System.IO.Path.Combine(Variable("XDG_CACHE_HOME") ?? System.IO.Path.Combine(Variable("HOME") ?? "/", ".cache"), "vfio-user-vm");

    /// <summary>Fetches what is not there yet.</summary>
    /// <param name="progress">Gets a line for each part that is fetched; null to be silent.</param>
    /// <param name="cancellationToken">Ends it; the next call begins again with the part that was not whole.</param>
    /// <exception cref="InvalidOperationException">Something that this needs is not there, such as apt; the message says what.</exception>
    public static async Task<GuestFolder> FetchAsync(Action<string>? progress = null, CancellationToken cancellationToken = default)
    {
        if (Missing is null)
            return Installed;
        RequireLinux();
        Scripts scripts = WriteScripts();
        CommandResult fetched = await scripts.RunAsync("get-vm", [], progress, cancellationToken).ConfigureAwait(false);
        return fetched.ExitCode == 0 ? Of(fetched.Output, scripts) : throw new InvalidOperationException(LastLine(fetched));
    }

    /// <summary>Fetches a package of Debian with what it depends on, unless it is there.</summary>
    /// <exception cref="InvalidOperationException">There is no such package, or it could not be fetched.</exception>
    public async Task FetchPackageAsync(string name, Action<string>? progress = null, CancellationToken cancellationToken = default)
    {
        CommandResult fetched = await Scripts.RunAsync("get-vm", ["--package", name, Path], progress, cancellationToken).ConfigureAwait(false);
        if (fetched.ExitCode != 0)
            throw new InvalidOperationException(LastLine(fetched));
    }

    /// <summary>Whether the guest has a program without a package of its own.</summary>
    public bool HasProgram(string name) =>
        ProgramFolders.Any(folder => File.Exists(System.IO.Path.Combine(Path, folder, name)));

    public string In(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    private static readonly string[] ProgramFolders = ["guest/usr/bin", "guest/usr/sbin", "extlinux/usr/bin", "network/usr/sbin"];

    private static (GuestFolder? Folder, string? Missing) Find()
    {
        if (!OperatingSystem.IsLinux())
            return (null, "guests need Linux");
        if (!Directory.Exists(DefaultPath))
            return (null, $"no VM in {DefaultPath}");
        Scripts scripts = WriteScripts();
        CommandResult folder = scripts.Run("get-vm", "--check");
        return folder.ExitCode == 0 ? (Of(folder.Output, scripts), null) : (null, LastLine(folder));
    }

    private static GuestFolder Of(string path, Scripts scripts) => new(path, scripts, scripts.Run("find-qemu", path).OutputOrThrow("find-qemu"));

    private static Scripts WriteScripts()
    {
        try
        {
            return Scripts.In(DefaultPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"Cannot write to {DefaultPath}: {e.Message}", e);
        }
    }

    private static void RequireLinux()
    {
        if (!OperatingSystem.IsLinux())
            throw new InvalidOperationException("Guests need Linux.");
    }

    private static string LastLine(CommandResult failed) => failed.Output.Split('\n')[^1];

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
