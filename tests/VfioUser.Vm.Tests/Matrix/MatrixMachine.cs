using System.Collections.Concurrent;
using System.Globalization;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;
using VfioUser.Vm.Tests.Nvme;

namespace VfioUser.Vm.Tests.Matrix;

/// <summary>
/// Two GPIO cards and two NVMe controllers, one with trapped and one with mapped doorbells, in machines that come one after the other.
/// </summary>
internal sealed class MatrixMachine : IAsyncDisposable
{
    // kexec holds the initramfs four times: unpacked, as a file, as the kernel has read it, and where the next kernel finds it
    public const int MemorySize = 768;

    private const int DiskSize = 32 << 20;

    private static readonly Initramfs Guest = new(
        modules: ["gpio-pci-idio-16", "nvme", "vfio-pci", "vfio_iommu_type1"],
        programs: ["gpioget", "gpioset", "gpiomon", "fio", "python3"],
        files: () => [VmFolder.Kernel, Script.PathOf("user-driver.py"), Script.PathOf("kexec.py")]);

    private static readonly string[] Disks = ["/dev/nvme0n1", "/dev/nvme1n1"];

    // where fio writes; the first blocks are compared over boots
    private static readonly string[] BlockSizes = ["4k", "32k", "128k", "512k", "1m"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("matrix-");
    private readonly ServedCard[] _cards;
    private readonly ServedDisk[] _disks;
    private readonly ConcurrentQueue<string> _log = new();
    private VirtualMachine? _machine;
    private QmpMonitor? _monitor;
    private bool _pin;
    private bool _wasKilled;

    public MatrixMachine(bool trust)
    {
        VfioUserServerOptions server = new() { TrustClientMemory = trust, Logger = new QueueLogger(_log) };
        _cards = [new ServedCard(server), new ServedCard(server)];
        _disks =
        [
            new ServedDisk(new MemoryDisk(DiskSize), new NvmeControllerOptions { SerialNumber = "VFIOUSER-trapped" }, server: server),
            new ServedDisk(new MemoryDisk(DiskSize), new NvmeControllerOptions { SerialNumber = "VFIOUSER-mapped", Doorbells = NvmeDoorbellKind.Mapped }, server: server),
        ];
    }

    private VirtualMachine Machine => _machine ?? throw new InvalidOperationException("No machine was started");

    private QmpMonitor Monitor => _monitor ?? throw new InvalidOperationException("No machine was started");

    /// <summary>Starts a machine that has the devices; the one before has ended.</summary>
    public async Task Start(MachineMemory memory, MachineIommu iommu, bool pin)
    {
        _pin = pin;
        string qmpPath = Path.Combine(_folder.FullName, "qmp.sock");
        _machine = await VirtualMachine.Start(new MachineOptions
        {
            Guest = Guest,
            SocketPaths = [.. _cards.Select(card => card.SocketPath), .. _disks.Select(disk => disk.SocketPath)],
            QmpPath = qmpPath,
            Memory = memory,
            MemorySize = MemorySize,
            Iommu = iommu,
            // else the last completion's interrupt may be raised after the driver has taken it, and stay raised
            WaitsForWrites = pin,
            KernelArguments = pin ? "pci=nomsi" : "",
            Arguments = ["-smp", "2"],
        });
        _monitor = await QmpMonitor.Connect(qmpPath);
        await WaitForDisks();
    }

    /// <summary>Both cards do all they can, and both disks give back what was written, in blocks of all sizes.</summary>
    public async Task UseEverything()
    {
        Tell("use everything");
        await UseCards();
        await WriteAndVerify();
        string interrupts = await Machine.Output("cat /proc/interrupts");
        interrupts.Should().MatchRegex(_pin ? @"IO-APIC.*nvme" : @"PCI-MSI.*nvme");
    }

    public async Task UseCards()
    {
        for (int i = 0; i < _cards.Length; i++)
        {
            await UseCard(i);
        }
    }

    /// <summary>Writes the first megabytes of each disk.</summary>
    /// <returns>Their sums, by the disk's serial number.</returns>
    public async Task<string> Fill()
    {
        Tell("fill");
        foreach (string disk in Disks)
        {
            await Machine.Output($"dd if=/dev/urandom of={disk} bs=1M count=4 oflag=direct 2>/dev/null");
        }

        return await Sums();
    }

    public Task<string> Sums() => Machine.Output(
        "for n in nvme0 nvme1; do echo $(cat /sys/class/nvme/$n/serial) $(dd if=/dev/${n}n1 bs=1M count=4 iflag=direct 2>/dev/null | md5sum); done | sort");

    /// <summary>Takes all devices from their drivers and gives them back.</summary>
    public async Task Rebind()
    {
        Tell("rebind");
        await Machine.Output(
            "for d in /sys/bus/pci/drivers/nvme/0* /sys/bus/pci/drivers/pci-idio-16/0*; do p=${d%/*}; a=${d##*/}; echo $a >$p/unbind && echo $a >$p/bind || exit 1; done");
        await WaitForDisks();
    }

    /// <summary>Gives both disks another kind of IOMMU domain, such as <c>DMA-FQ</c>.</summary>
    public async Task ChangeDomain(string type)
    {
        Tell($"domain {type}");
        await Machine.Output(
            "for d in /sys/bus/pci/drivers/nvme/0*; do a=${d##*/}; g=$(readlink -f $d/iommu_group); " +
            $"echo $a >/sys/bus/pci/drivers/nvme/unbind && echo {type} >$g/type && echo $a >/sys/bus/pci/drivers/nvme/bind && [ $(cat $g/type) = {type} ] || exit 1; done");
        await WaitForDisks();
    }

    /// <summary>Gives both disks to a driver in user space, one after the other, and then back.</summary>
    public async Task RunUserDriver()
    {
        Tell("user driver");
        string result = await Machine.Output(
            "for d in /sys/bus/pci/drivers/nvme/0*; do a=${d##*/}; p=/sys/bus/pci; " +
            "echo $a >$p/drivers/nvme/unbind; echo vfio-pci >$p/devices/$a/driver_override; echo $a >$p/drivers_probe; " +
            "python3 -I -S /files/user-driver.py $a || exit 1; " +
            "echo $a >$p/drivers/vfio-pci/unbind; echo >$p/devices/$a/driver_override; echo $a >$p/drivers_probe; done");
        result.Should().Be("user driver: done\nuser driver: done");
        await WaitForDisks();
    }

    /// <summary>Plugs memory of the machine's kind in, while it runs or while it is stopped, and has fio's buffers come from there.</summary>
    public async Task PlugMemory(MachineMemory kind, string id, bool stopped)
    {
        Tell(stopped ? "memory while stopped" : "memory");
        await Machine.Output("echo online_movable >/sys/devices/system/memory/auto_online_blocks");
        string before = await Machine.Output("grep MemTotal /proc/meminfo");
        if (stopped)
        {
            await Monitor.Execute("stop");
        }

        await Monitor.Execute("object-add", QemuArguments.MemoryObject(kind, id, 128));
        await Monitor.Execute("device_add", new() { ["driver"] = "pc-dimm", ["id"] = $"dimm-{id}", ["memdev"] = id });
        if (stopped)
        {
            await Monitor.Execute("cont");
        }

        await Machine.Output($"while [ \"$(grep MemTotal /proc/meminfo)\" = '{before}' ]; do usleep 10000; done");
        await WriteAndVerify();
    }

    public async Task Reboot()
    {
        Tell("reboot");
        await CheckGuest();
        await Machine.Reboot();
        await WaitForDisks();
    }

    /// <summary>Resets the machine while it writes to both disks.</summary>
    public async Task ResetWhileItWrites()
    {
        Tell("reset");
        await CheckGuest();
        await BeginWriting();
        await Machine.Reset(Monitor);
        await WaitForDisks();
    }

    /// <summary>Has the kernel boot itself: nobody resets the devices.</summary>
    public async Task Kexec()
    {
        Tell("kexec");
        await CheckGuest();
        await Machine.Output("cd / && find . -xdev ! -path './tmp/*' | cpio -o -H newc >/tmp/initrd 2>/dev/null");
        await Machine.Kexec("python3 -I -S /files/kexec.py /files/vmlinuz-* /tmp/initrd \"$(cat /proc/cmdline)\"");
        await WaitForDisks();
    }

    /// <summary>Ends QEMU with SIGKILL while the guest writes.</summary>
    public async Task KillWhileItWrites()
    {
        Tell("kill");
        await CheckGuest();
        await BeginWriting();
        await Machine.Kill();
        // a controller that was about to post a completion fails, and says so some time or other
        _wasKilled = true;
        await End();
    }

    /// <summary>Switches the machine off; neither the guest, nor QEMU, nor a device has complained.</summary>
    public async Task PowerOff()
    {
        Tell("power off");
        await CheckGuest();
        await Machine.PowerOff();
        string errors = await Machine.Errors;
        await End();

        // said of each device: there is no error interrupt
        errors.Split('\n').Where(line => line.Length > 0 && !line.EndsWith("Could not enable error recovery for the device", StringComparison.Ordinal))
            .Should().BeEmpty("QEMU has nothing to complain of");
        _disks.SelectMany(disk => disk.Failures)
            .Where(failure => !_wasKilled || !failure.Contains("the client has gone", StringComparison.Ordinal))
            .Should().BeEmpty();
    }

    /// <summary>What the servers have logged.</summary>
    public string Log => string.Join('\n', _log);

    public async ValueTask DisposeAsync()
    {
        await End();
        foreach (ServedCard card in _cards)
        {
            await card.DisposeAsync();
        }

        foreach (ServedDisk disk in _disks)
        {
            await disk.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    private void Tell(string step) => _log.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{Machine.ProcessorTime.TotalSeconds:f0} s of processor: {step}"));

    private Task<string> WaitForDisks() => Machine.Output($"until [ -b {Disks[0]} ] && [ -b {Disks[1]} ]; do usleep 10000; done");

    private async Task UseCard(int number)
    {
        ServedCard served = _cards[number];
        // by place: numbers of chips change when they are bound again
        string folder = await Machine.Output($"ls -d /sys/bus/pci/drivers/pci-idio-16/0*/gpiochip* | sed -n {number + 1}p");
        string chip = Path.GetFileName(folder);

        // -t 0: set and exit. The driver leaves lines as they are when they are released.
        await Machine.Output($"gpioset -c {chip} -t 0 OUT0=1 OUT3=1 OUT9=1 OUT15=1");
        await served.WaitForOutputs(0x8209);
        await Machine.Output($"gpioset -c {chip} -t 0 OUT0=0 OUT3=0 OUT9=0 OUT15=0");
        await served.WaitForOutputs(0);

        served.Card.Inputs = 0x8005;
        (await Machine.Output($"gpioget -c {chip} --numeric IIN0 IIN1 IIN2 IIN15")).Should().Be("1 0 1 1");
        if (!await CanHaveEvents(address: Path.GetFileName(Path.GetDirectoryName(folder)!)))
        {
            Tell($"card {number}: its driver enables no interrupt");
            return;
        }

        // all lines, as in GpioGuestTests
        string lines = string.Join(' ', Enumerable.Range(0, 16).Select(line => $"IIN{line}"));
        await Machine.Output($"gpiomon -c {chip} --banner --unquoted -F '%l %E' {lines} >/dev/ttyS0 2>&1 &");
        await Machine.WaitFor("^Monitoring lines");
        served.Card.Inputs = 0x8008;
        await Machine.WaitFor("^IIN3 rising$");
        await Machine.Output("killall gpiomon && while pidof gpiomon; do :; done");
    }

    /// <summary>False if the guest's driver never enables this card's interrupt.</summary>
    /// <remarks>
    /// Linux 6.1 has one irq_chip for all cards, and gpiolib hooks it for the first that is bound. Of the others, and of each that is
    /// bound later, it does not call the driver's unmask, which enables the interrupt; it says so when it binds the card.
    /// </remarks>
    private async Task<bool> CanHaveEvents(string address) =>
        (await Machine.Run($"dmesg | grep -q '({address}): detected irqchip that is shared'")).ExitCode != 0;

    /// <summary>Writes both disks in blocks of all sizes, and reads them.</summary>
    public Task WriteAndVerify() => Machine.Output(Fio("--rw=randwrite --verify=crc32c --verify_fatal=1"));

    private async Task BeginWriting()
    {
        await Machine.Output($"{Fio("--rw=randwrite --time_based --runtime=1h")} >/dev/null 2>&1 &");
        // it is at it
        await Machine.Output("a=$(cat /sys/block/nvme1n1/stat); while [ \"$a\" = \"$(cat /sys/block/nvme1n1/stat)\" ]; do usleep 10000; done");
    }

    private static string Fio(string arguments) =>
        $"fio --direct=1 --ioengine=libaio --iodepth=8 --thread --size=2M --minimal {arguments}" + string.Concat(
            from disk in Disks
            from size in Enumerable.Range(0, BlockSizes.Length)
            select string.Create(CultureInfo.InvariantCulture, $" --name={disk[5..]}-{BlockSizes[size]} --filename={disk} --bs={BlockSizes[size]} --offset={8 + 2 * size}M"));

    private async Task CheckGuest() =>
        (await Machine.Output("dmesg | grep -iE 'i/o error|i/o timeout|nobody cared|controller is down|DMAR:.*fault|could not locate request'; true")).Should().BeEmpty();

    private async Task End()
    {
        _monitor?.Dispose();
        _monitor = null;
        if (_machine is not null)
        {
            await _machine.DisposeAsync();
        }

        _machine = null;
    }
}
