using System.Diagnostics;
using System.Runtime.Versioning;
using FluentAssertions;

namespace VfioUser.Vm.Tests.Guests;

/// <summary>The scripts that fetch and build a guest, where something is missing.</summary>
[SupportedOSPlatform("linux")]
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

        (int exitCode, string error) = await GetVm(scripts, PathOf("bin"));

        error.Should().Be("get-vm: needs a Debian-like host: no apt-get\n");
        exitCode.Should().Be(1);
    }

    [Fact]
    public async Task Package_that_does_not_exist_is_asked_for_once()
    {
        Scripts scripts = Scripts.In(PathOf("cache"));
        string aptGet = Path.Combine(Directory.CreateDirectory(PathOf("bin")).FullName, "apt-get");
        await File.WriteAllTextAsync(aptGet, """
            #!/usr/bin/bash
            [[ " $* " != *" update "* ]] || exit 0
            echo 'E: Unable to locate package nothing'
            exit 100
            """);
        File.SetUnixFileMode(aptGet, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        (int exitCode, string error) = await GetVm(scripts, $"{PathOf("bin")}:{Environment.GetEnvironmentVariable("PATH")}");

        error.Should().Contain("get-vm: E: Unable to locate package nothing\n").And.NotContain("attempt");
        exitCode.Should().Be(1);
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

    private async Task<(int ExitCode, string Error)> GetVm(Scripts scripts, string path)
    {
        using Process process = Process.Start(new ProcessStartInfo("/usr/bin/bash", [scripts.PathOf("get-vm"), PathOf("none")])
        {
            RedirectStandardError = true,
            UseShellExecute = false,
            Environment = { ["PATH"] = path },
        })!;
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, error);
    }
}
