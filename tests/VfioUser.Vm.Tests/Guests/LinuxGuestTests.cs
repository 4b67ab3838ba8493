using FluentAssertions;
using My_Device1;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Guests;

/// <summary>The package's guest, as an author of devices uses it.</summary>
public sealed class LinuxGuestTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("linux-guest-tests-");

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);

    [VmFact]
    public async Task A_guest_has_what_it_was_given_and_ends_with_the_failures_of_its_devices()
    {
        string file = PathOf("greeting");
        await File.WriteAllTextAsync(file, "hello\n");
        LinuxGuest guest = await LinuxGuest.StartAsync(new Card(), new LinuxGuestOptions
        {
            Devices = [new Faulty()],
            Programs = ["lspci", "/usr/bin/env"],
            Files = [file],
            MemorySize = 256,
        });

        (await guest.OutputAsync("lspci -n -d 1b36:00f4")).Should().EndWith("1200: 1b36:00f4");
        (await guest.OutputAsync("/bin/env --version | head -n 1; cat /files/greeting")).Should().MatchRegex(@"coreutils.*\nhello$", "it is the host's, with the host's libraries");
        (await guest.RunAsync("exit 3")).ExitCode.Should().Be(3);
        Func<Task> failing = () => guest.OutputAsync("echo lost >/dev/kmsg; echo oh no; false");
        (await failing.Should().ThrowAsync<LinuxGuestException>()).WithMessage("*ended with 1: oh no\nThe kernel's log ends with:*lost*");
        await guest.RunAsync("device=$(dirname $(grep -l 0x00f9 /sys/bus/pci/devices/*/device)); printf '\\002' | dd of=$device/config bs=1 seek=4 conv=notrunc; devmem $(head -n 1 $device/resource | cut -d ' ' -f 1) 32 1");
        await guest.PowerOffAsync();
        guest.ConsoleText.Should().Contain("oh no");
        Func<Task> end = async () => await guest.DisposeAsync();
        (await end.Should().ThrowAsync<LinuxGuestException>()).WithMessage("*did not see it*").WithInnerException<NotSupportedException>();
    }

    [VmFact]
    public async Task A_socket_without_a_server_is_named()
    {
        string path = PathOf("nobody.sock");

        Func<Task> start = () => LinuxGuest.StartAsync(path);

        (await start.Should().ThrowAsync<LinuxGuestException>()).WithMessage($"Cannot connect to '{path}': No such file or directory.");
    }

    [VmFact]
    public async Task A_guest_that_does_not_boot_in_time_says_what_its_console_has()
    {
        Func<Task> start = () => LinuxGuest.StartAsync(new LinuxGuestOptions { BootTimeout = TimeSpan.FromMilliseconds(1) });

        await start.Should().ThrowAsync<TimeoutException>();
    }

    [Theory]
    [InlineData(64, null, null, "The guest needs 128 MiB*")]
    [InlineData(512, "/no/such/kernel", null, "There is no kernel /no/such/kernel.")]
    [InlineData(512, "/etc/hostname", "nvme", "The module 'nvme' is of Debian's kernel*")]
    public async Task Options_that_cannot_be_are_refused_with_their_reason(int memory, string? kernel, string? module, string reason)
    {
        Func<Task> start = () => LinuxGuest.StartAsync(new LinuxGuestOptions { MemorySize = memory, Kernel = kernel, Modules = module is null ? [] : [module] });

        (await start.Should().ThrowAsync<InvalidOperationException>()).WithMessage(reason);
    }

    private sealed class Faulty : PciDevice
    {
        public Faulty()
            : base(new PciId(Vendor: 0x1B36, Device: 0x00F9), PciClass.Unclassified) =>
            AddBar(0, BarKind.Memory32, size: 0x1000).AddDoorbell(0x00, ring: () => throw new NotSupportedException("on purpose"));
    }
}
