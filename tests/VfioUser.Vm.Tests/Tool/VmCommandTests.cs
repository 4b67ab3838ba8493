using System.Diagnostics;
using FluentAssertions;
using My_Device1;
using VfioUser.Tool;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Tool;

/// <summary><c>vfio-user vm</c>, as it is typed.</summary>
public sealed class VmCommandTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(5);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vm-command-");
    private readonly StringWriter _out = new() { NewLine = "\n" };
    private readonly StringWriter _error = new() { NewLine = "\n" };

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _out.Dispose();
        _error.Dispose();
    }

    [VmFact]
    public async Task A_script_runs_in_a_guest_with_the_device_and_its_exit_code_comes_back()
    {
        await using ServedDevice device = new(new Card());
        string script = PathOf("a script.sh");
        await File.WriteAllTextAsync(script, """
            lspci -n -d 1b36:00f4 | grep -o 1b36:00f4
            ls /sys/class/iommu
            tree --version | cut -d ' ' -f 2
            printf 'no line break'
            exit 7
            """);

        int exitCode = Run("vm", device.SocketPath, "--run", script, "--iommu", "--no-share", "--memory", "256", "--module", "nvme", "--with", "tree");

        _out.ToString().Should().MatchRegex(@"^1b36:00f4\ndmar0\nv2\..*\nno line break\n$", "{0}", _error);
        exitCode.Should().Be(7);
    }

    [VmFact]
    public void A_guest_that_panics_and_one_that_takes_too_long_are_no_success()
    {
        Run("vm", "--memory", "256", "--module", "nvme", "--", "echo c >/proc/sysrq-trigger").Should().Be(125);
        _error.ToString().Should().Contain("the guest panicked").And.Contain("sysrq");

        Run("vm", "--memory", "256", "--module", "nvme", "--timeout", "0.5", "--", "true").Should().Be(124);
        _error.ToString().Should().EndWith("vfio-user: The guest did not end within 0.5 seconds.\n");
    }

    [Fact]
    public void A_socket_that_is_nobodys_and_what_is_not_there_are_named()
    {
        string nobody = PathOf("nobody.sock");

        Run("vm", nobody, "--", "true").Should().Be(1);
        Run("vm", "--run", PathOf("none.sh")).Should().Be(1);
        Run("vm", "--memory", "64", "--", "true").Should().Be(125);
        Run("vm", "--run", "/etc/hostname", "--", "true").Should().Be(2);

        _error.ToString().Should().Be($"""
            vfio-user: Cannot connect to '{nobody}': no such file.
            vfio-user: There is no file '{PathOf("none.sh")}'.
            vfio-user: The guest needs 128 MiB of memory, and MemorySize is 64.
            vfio-user: Either --run or a command after --, not both.

            """);
    }

    [VmFact]
    public async Task A_terminal_gets_a_prompt_until_the_shell_ends()
    {
        await using ServedDevice device = new(new Card());
        string tool = Path.Combine(AppContext.BaseDirectory, "VfioUser.Tool.dll");
        string tests = Path.ChangeExtension(typeof(VmCommandTests).Assembly.Location, null);
        // script makes the terminal
        using Process terminal = Process.Start(new ProcessStartInfo("script",
            ["-qfec", $"dotnet exec --runtimeconfig {tests}.runtimeconfig.json --depsfile {tests}.deps.json {tool} vm {device.SocketPath} --memory 256 --module nvme", "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        SerialConsole console = new();
        Task reading = ReadInto(console, terminal.StandardOutput);
        await console.WaitFor("guest# ", 0, Timeout);

        await terminal.StandardInput.WriteAsync("lspci -n | grep -c 1b36:00f4; tty; stty size\r");
        await terminal.StandardInput.FlushAsync();
        await console.WaitFor(@"^1\n/dev/ttyS0\n\d+ \d+\n", 0, Timeout);
        await terminal.StandardInput.WriteAsync("exit\r");
        await terminal.StandardInput.FlushAsync();

        await terminal.WaitForExitAsync().WaitAsync(Timeout);
        await reading;
        terminal.ExitCode.Should().Be(0);
    }

    private static async Task ReadInto(SerialConsole console, StreamReader reader)
    {
        char[] buffer = new char[1024];
        int count;
        while ((count = await reader.ReadAsync(buffer)) > 0)
            console.Append(new string(buffer, 0, count));
        console.End("the tool has ended");
    }

    private int Run(params string[] args) => VfioUserTool.Run(args, new Terminal(_out, _error, Colors: false, CancellationToken.None));
}
