namespace VfioUser.Tool.Shell;

/// <summary>The terminal of the process.</summary>
internal sealed class ConsoleKeys : IKeys
{
    public int Width => Console.WindowWidth is > 0 and int columns ? columns : 80;

    // Ctrl-C is a key while a line is edited, and a signal while a command runs
    public ConsoleKeyInfo? Read()
    {
        Console.TreatControlCAsInput = true;
        try
        {
            return Console.ReadKey(intercept: true);
        }
        catch (InvalidOperationException)
        {
            // the terminal has gone
            return null;
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    public void Write(string text) => Console.Out.Write(text);
}
