using System.Diagnostics;
using System.Security.Cryptography;

namespace VfioUser.Testing.Linux;

/// <summary>The scripts that fetch and build a guest: they are in this assembly, and bash runs them from a folder of the cache.</summary>
/// <remarks>Any thread, any process: the folder is named by what is in it, and appears only when it is whole.</remarks>
internal sealed class Scripts
{
    private static readonly string[] Names = ["find-qemu", "get-vm", "init", "make-initramfs"];

    private readonly string _folder;

    private Scripts(string folder) => _folder = folder;

    /// <summary>The path of one of them.</summary>
    public string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>Puts them into a folder, unless they are there.</summary>
    /// <param name="cache">The folder of the guest.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static Scripts In(string cache)
    {
        Dictionary<string, byte[]> contents = Names.ToDictionary(name => name, Content, StringComparer.Ordinal);
        byte[] all = [.. contents.OrderBy(script => script.Key, StringComparer.Ordinal).SelectMany(script => script.Value)];
        string hash = Convert.ToHexStringLower(SHA256.HashData(all))[..16];
        string folder = Path.Combine(cache, "scripts", hash);
        if (Directory.Exists(folder))
            return new Scripts(folder);
        Directory.CreateDirectory(Path.Combine(cache, "scripts"));
        string whole = $"{folder}.{Guid.NewGuid():N}";
        Directory.CreateDirectory(whole);
        foreach ((string name, byte[] content) in contents)
            File.WriteAllBytes(Path.Combine(whole, name), content);
        try
        {
            Directory.Move(whole, folder);
        }
        catch (IOException) when (Directory.Exists(folder))
        {
            Directory.Delete(whole, recursive: true); // another process was faster
        }
        return new Scripts(folder);
    }

    /// <summary>Runs a script to its end.</summary>
    /// <param name="name">The script's.</param>
    /// <param name="arguments">Its command line.</param>
    /// <param name="progress">Gets each line of its standard error as it comes; null to have them in the result of a failure only.</param>
    /// <param name="cancellationToken">Kills it.</param>
    public async Task<CommandResult> RunAsync(
        string name, IEnumerable<string> arguments, Action<string>? progress = null, CancellationToken cancellationToken = default)
    {
        using Process process = Process.Start(new ProcessStartInfo("bash", [PathOf(name), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        }) ?? throw new InvalidOperationException("bash did not start");
        using CancellationTokenRegistration kill = cancellationToken.Register(() => process.Kill(entireProcessTree: true));

        // both pipes at once: a script that fills one while the other is read would hang
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        List<string> errors = [];
        while (await process.StandardError.ReadLineAsync(CancellationToken.None).ConfigureAwait(false) is { } line)
        {
            errors.Add(line);
            progress?.Invoke(line);
        }
        string printed = (await output.ConfigureAwait(false)).TrimEnd('\n');
        await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return process.ExitCode == 0
            ? new CommandResult(0, printed)
            : new CommandResult(process.ExitCode, string.Join('\n', errors.Prepend(printed).Where(text => text.Length > 0)));
    }

    /// <inheritdoc cref="RunAsync"/>
    public CommandResult Run(string name, params IEnumerable<string> arguments) => RunAsync(name, arguments).GetAwaiter().GetResult();

    private static byte[] Content(string name)
    {
        using Stream resource = typeof(Scripts).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"no script {name}");
        using MemoryStream content = new();
        resource.CopyTo(content);
        return content.ToArray();
    }
}
