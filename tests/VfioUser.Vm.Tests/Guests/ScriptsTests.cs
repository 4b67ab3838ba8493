using System.Diagnostics;
using FluentAssertions;

namespace VfioUser.Vm.Tests.Guests;

/// <summary>The scripts that fetch and build a guest, where something is missing.</summary>
public sealed class ScriptsTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("guest-scripts-");

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_host_without_apt_is_told_so()
    {
        Scripts scripts = Scripts.In(PathOf("cache"));
        Directory.CreateDirectory(PathOf("bin"));
        foreach (string program in new[] { "bash", "readlink", "dirname", "uname" })
            File.CreateSymbolicLink(Path.Combine(PathOf("bin"), program), Path.Combine("/usr/bin", program));

        using Process process = Process.Start(new ProcessStartInfo("/usr/bin/bash", [scripts.PathOf("get-vm"), PathOf("none")])
        {
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment = { ["PATH"] = PathOf("bin") },
        })!;
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        error.Should().Be("get-vm: needs a Debian-like host: no apt-get\n");
        process.ExitCode.Should().Be(1);
    }

    [Fact]
    public async Task Name_of_no_package_is_not_fetched()
    {
        Scripts scripts = Scripts.In(PathOf("cache"));

        CommandResult refused = await scripts.RunAsync("get-vm", ["--package", "-o Dpkg::Pre-Invoke=x", PathOf("none")]);

        refused.Should().Be(new CommandResult(1, "get-vm: '-o Dpkg::Pre-Invoke=x' is no package's name"));
    }

    [Fact]
    public void Scripts_are_written_once()
    {
        string first = Scripts.In(PathOf("cache")).PathOf("init");
        DateTime written = File.GetLastWriteTimeUtc(first);

        Scripts.In(PathOf("cache")).PathOf("init").Should().Be(first);

        File.GetLastWriteTimeUtc(first).Should().Be(written);
        Directory.GetDirectories(PathOf("cache/scripts")).Should().ContainSingle();
    }
}
