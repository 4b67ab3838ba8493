using System.Diagnostics;

namespace VfioUser.Tool.Tests;

/// <summary>The host's lspci, or the one that <c>get-vm</c> puts into the folder of the VM tests.</summary>
internal static class Lspci
{
    private static readonly Lazy<string[]?> Found = new(Find);

    /// <summary>Why there is none and what to do about it; null if there is one.</summary>
    public static string? Missing => Found.Value is null ? "no lspci: install pciutils, or run src/VfioUser.Testing.Linux/vm/get-vm" : null;

    /// <summary>Whether tests without it fail (as in CI) or are skipped; it comes with the VM.</summary>
    public static bool IsRequired => Environment.GetEnvironmentVariable("VFIO_USER_VM_REQUIRED") is "1" or "true";

    /// <summary>What it prints of a dump that it is fed, as in <c>vfio-user config SOCKET | lspci ARGS -F /dev/stdin</c>.</summary>
    public static async Task<string> Run(string dump, params string[] args)
    {
        string[] command = [.. Found.Value ?? throw new InvalidOperationException(Missing), .. args, "-F", "/dev/stdin"];
        ProcessStartInfo start = new(command[0], command[1..]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        await process.StandardInput.WriteAsync(dump);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? await output : throw new InvalidOperationException($"lspci ended with {process.ExitCode}.");
    }

    private static string[]? Find()
    {
        string? onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin")
            .Select(folder => Path.Combine(folder, "lspci")).FirstOrDefault(File.Exists);
        if (onPath is not null)
            return [onPath];
        string guest = Path.Combine(VmFolder(), "guest");
        string program = Path.Combine(guest, "usr/bin/lspci");
        string libraries = Path.Combine(guest, "usr/lib/x86_64-linux-gnu");
        // the host may have another libc, or none of the libraries
        return File.Exists(program)
            ? [Path.Combine(libraries, "ld-linux-x86-64.so.2"), "--library-path", libraries, program, "-i", Path.Combine(guest, "usr/share/misc/pci.ids")]
            : null;
    }

    private static string VmFolder() => Variable("VFIO_USER_VM_FOLDER")
        ?? Path.Combine(Variable("XDG_CACHE_HOME") ?? Path.Combine(Variable("HOME") ?? "/", ".cache"), "vfio-user-vm");

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}

/// <summary>A test that runs lspci. Skipped where there is none, unless <c>VFIO_USER_VM_REQUIRED</c> is set.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LspciFactAttribute : FactAttribute
{
    public LspciFactAttribute()
    {
        if (!Lspci.IsRequired)
            Skip = Lspci.Missing;
    }
}
