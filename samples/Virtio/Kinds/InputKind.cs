using System.CommandLine;
using System.Globalization;
using VfioUser;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;

namespace Virtio.Kinds;

/// <summary>A keyboard, a mouse or a tablet, moved by lines of standard input.</summary>
internal sealed class InputKind : DeviceKind
{
    private readonly Option<string> _kind = new("--kind") { Description = "keyboard, mouse or tablet.", DefaultValueFactory = _ => "keyboard" };

    public InputKind() => _kind.AcceptOnlyFromAmong("keyboard", "mouse", "tablet");

    public override string Name => "input";

    public override string Description =>
        "Serves a keyboard, mouse or tablet: /dev/input/event*. Lines of standard input are: tap LeftControl C, move 5 -3, click Left.";

    public override IReadOnlyList<Option> Options => [_kind];

    public override Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets)
    {
        VirtioInput device = parsed.GetValue(_kind) switch
        {
            "mouse" => new VirtioMouse(),
            "tablet" => new VirtioTablet(),
            _ => new VirtioKeyboard(),
        };
        // until the program ends: a read of a terminal cannot be cancelled
        new Thread(() => Obey(device)) { IsBackground = true, Name = "input" }.Start();
        return Task.FromResult(new ServedDevices(device));
    }

    public override void Demo(TextWriter output)
    {
        using VirtioKeyboard keyboard = new();
        using TestGuest guest = TestGuest.Attach(keyboard);
        VirtioDriver driver = VirtioDriver.Start(guest);
        Iova buffer = guest.Memory.Allocate(8);
        driver.Queues[0].Add(new VirtioPart(buffer, 8, writable: true));
        driver.Queues[0].Notify();

        keyboard.Press(InputKey.Enter);
        driver.Queues[0].Take();

        output.WriteLine($"input: the guest sees key {guest.Memory.Read<ushort>(buffer + 2)} pressed");
    }

    private static void Obey(VirtioInput device)
    {
        while (Console.ReadLine() is { } line)
        {
            if (!Obey(device, line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
                Console.Error.WriteLine($"virtio: {line}: not understood, or no driver has the device");
        }
    }

    private static bool Obey(VirtioInput device, string[] words) => (device, words) switch
    {
        (VirtioKeyboard keyboard, ["tap", ..]) when words.Skip(1).All(word => Enum.TryParse<InputKey>(word, out _)) =>
            keyboard.Tap([.. words.Skip(1).Select(Enum.Parse<InputKey>)]),
        (VirtioMouse mouse, ["move", var x, var y]) when Number(x) is { } right && Number(y) is { } down => mouse.Move(right, down),
        (VirtioTablet tablet, ["move", var x, var y]) when Number(x) is { } right && Number(y) is { } down => tablet.MoveTo(right, down),
        (VirtioMouse mouse, ["click", var name]) when Enum.TryParse(name, out MouseButton button) => mouse.Set(button, true) && mouse.Set(button, false),
        (VirtioTablet tablet, ["click", var name]) when Enum.TryParse(name, out MouseButton button) => tablet.Set(button, true) && tablet.Set(button, false),
        _ => false,
    };

    private static int? Number(string text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) ? value : null;
}
