using System.Diagnostics;

namespace VfioUser.Packages.Tests;

/// <summary>What somebody does who has nothing but the packages.</summary>
[Collection(nameof(PackedFeed))]
public class ConsumerTests(PackedFeed packed)
{
    [Fact]
    public async Task The_template_makes_a_device_that_passes_its_tests_and_that_the_tool_sees()
    {
        string folder = Directory.CreateDirectory(packed.PathOf("template")).FullName;
        string hive = packed.PathOf("hive");
        await Run(folder, "new", "install", packed.PackageOf("VfioUser.Templates"), "--debug:custom-hive", hive);
        await Run(folder, "new", "vfio-user-device", "-n", "Sum-Card", "--device", "0x4321", "--no-update-check", "--debug:custom-hive", hive);
        string device = Path.Combine(folder, "Sum-Card");

        string tests = await Run(device, "test", "-warnaserror");
        await Run(folder, "tool", "install", "VfioUser.Tool", "--version", packed.Version, "--tool-path", packed.PathOf("tools"));

        tests.Should().Contain("Passed:     5");
        string info = await InfoOf(Dotnet.Host, packed.PathOf("sum.sock"), "exec", Path.Combine(device, "src/Sum-Card/bin/Debug/net10.0/Sum-Card.dll"));
        info.Should().Contain("1b36:4321");
    }

    [Theory]
    [InlineData("--vendor 0xZZ", "--vendor 0xZZ is no PCI id: write 0x and four hexadecimal digits, such as 0x1234")]
    [InlineData("--device 0x12345", "--device 0x12345 is no PCI id: write 0x and four hexadecimal digits, such as 0x1234")]
    [InlineData("--virtio --device 0x1041", "--vendor and --device are for devices without --virtio: virtio devices have ids of their own")]
    public async Task An_id_that_cannot_be_is_the_only_error_of_the_templates_device(string options, string message)
    {
        string folder = Directory.CreateDirectory(packed.PathOf($"wrong-{Guid.NewGuid():N}")).FullName;
        string hive = Path.Combine(folder, "hive");
        await Run(folder, "new", "install", packed.PackageOf("VfioUser.Templates"), "--debug:custom-hive", hive);
        await Run(folder, ["new", "vfio-user-device", "-n", "Wrong", .. options.Split(' '), "--no-update-check", "--debug:custom-hive", hive]);

        (int exitCode, string said) = await Dotnet.TryRun(Dotnet.Host, Path.Combine(folder, "Wrong"), packed.Environment, "build", "src/Wrong");

        exitCode.Should().NotBe(0);
        said.Split('\n').Where(line => line.Contains("): error ", StringComparison.Ordinal)).Should().NotBeEmpty().And.OnlyContain(line => line.Contains(message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_template_makes_a_virtio_device_too()
    {
        string folder = Directory.CreateDirectory(packed.PathOf("virtio")).FullName;
        string hive = packed.PathOf("virtio-hive");
        await Run(folder, "new", "install", packed.PackageOf("VfioUser.Templates"), "--debug:custom-hive", hive);
        await Run(folder, "new", "vfio-user-device", "--virtio", "-n", "Rng-Card", "--no-update-check", "--debug:custom-hive", hive);
        string device = Path.Combine(folder, "Rng-Card");

        string tests = await Run(device, "test", "-warnaserror");

        tests.Should().Contain("Passed:     5");
        Directory.EnumerateFiles(device, "*irtio*", SearchOption.AllDirectories).Where(file => !file.Contains("/bin/", StringComparison.Ordinal)
            && !file.Contains("/obj/", StringComparison.Ordinal)).Should().BeEmpty("it is as if there were no other");
        (await File.ReadAllTextAsync(Path.Combine(device, "README.md"))).Should().Contain("hwrng");
    }

    [Fact]
    public async Task A_service_is_published_trimmed_and_ready_to_run_without_a_warning_and_runs()
    {
        string folder = await MakeService("trimmed", "<PublishTrimmed>true</PublishTrimmed><PublishReadyToRun>true</PublishReadyToRun>");

        string said = await Run(folder, "publish", "-warnaserror", "-o", "out");

        said.Should().NotContain("warning");
        string info = await InfoOf(Path.Combine(folder, "out", "Service"), packed.PathOf("trimmed.sock"));
        info.Should().Contain("1b36:00f6");
    }

    /// <summary>Where the compiler's pack or a linker cannot be had, that is what is said; all else has to work.</summary>
    [Fact]
    public async Task A_service_is_published_by_native_aot_where_its_compiler_can_be_had()
    {
        string folder = await MakeService("aot", "<PublishAot>true</PublishAot>");
        (int restored, string reason) = await Dotnet.TryRun(Dotnet.Host, folder, packed.Environment, "restore");
        if (restored != 0)
        {
            reason.Should().Contain("ILCompiler", "nothing else may be missing");
            Console.WriteLine($"Native AOT is not tried: {reason}");
            return;
        }

        (int published, string said) = await Dotnet.TryRun(Dotnet.Host, folder, packed.Environment, "publish", "-warnaserror", "-o", "out");
        if (published != 0 && said.Contains("Platform linker", StringComparison.Ordinal))
        {
            Console.WriteLine($"Native AOT is not tried: {said}");
            return;
        }

        published.Should().Be(0, said);
        string info = await InfoOf(Path.Combine(folder, "out", "Service"), packed.PathOf("aot.sock"));
        info.Should().Contain("1b36:00f6");
    }

    private Task<string> Run(string folder, params string[] args) => Dotnet.Run(folder, packed.Environment, args);

    private async Task<string> MakeService(string name, string properties)
    {
        string folder = Directory.CreateDirectory(packed.PathOf(name)).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "Service.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <UseCurrentRuntimeIdentifier>true</UseCurrentRuntimeIdentifier>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <InvariantGlobalization>true</InvariantGlobalization>
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="VfioUser.Hosting" Version="{packed.Version}" />
              </ItemGroup>
            </Project>
            """);
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), """
            using Microsoft.Extensions.Configuration;
            using Microsoft.Extensions.DependencyInjection;
            using Microsoft.Extensions.Hosting;
            using VfioUser;

            HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
            builder.Configuration.AddInMemoryCollection([new("Card:SocketPath", args[0]), new("Card:Server:SocketMode", "0600")]);
            builder.Services.AddSystemd();
            builder.Services.AddVfioUserDevice<Card>(builder.Configuration.GetSection("Card"));
            IHost host = builder.Build();
            await host.StartAsync();
            Console.WriteLine("ready");
            await host.WaitForShutdownAsync();

            internal sealed class Card : PciDevice
            {
                public Card()
                    : base(new PciId(Vendor: 0x1B36, Device: 0x00F6), PciClass.Unclassified) => AddBar(0, BarKind.Memory32, size: 0x1000);
            }
            """);
        return folder;
    }

    // starts a program that serves on a socket once it has said something, and asks the packed tool about it
    private async Task<string> InfoOf(string program, string socket, params string[] args)
    {
        using Process service = Dotnet.Start(program, packed.PathOf(""), packed.Environment, [.. args, socket]);
        try
        {
            string? first = await service.StandardOutput.ReadLineAsync();
            first.Should().NotBeNull(service.HasExited ? await service.StandardError.ReadToEndAsync() : "it serves");
            string tool = packed.PathOf("tools/vfio-user");
            if (!File.Exists(tool))
                await Run(packed.PathOf(""), "tool", "install", "VfioUser.Tool", "--version", packed.Version, "--tool-path", packed.PathOf("tools"));
            (int exitCode, string said) = await Dotnet.TryRun(tool, packed.PathOf(""), packed.Environment, "info", socket);
            exitCode.Should().Be(0, said);
            return said;
        }
        finally
        {
            service.Kill(entireProcessTree: true);
            await service.WaitForExitAsync();
        }
    }
}
