using System.CommandLine;

namespace VfioUser.Tool.CommandLine;

/// <summary><c>vfio-user completion</c>: a script with which a shell completes the tool's commands and options.</summary>
internal static class CompletionCommand
{
    // words after the first come from the tool itself; a word that it does not know is a file, such as a socket
    private const string Bash = """
        # bash: eval "$(vfio-user completion bash)"
        _vfio_user()
        {
            local word=${COMP_WORDS[COMP_CWORD]}
            mapfile -t COMPREPLY < <(vfio-user complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
            [[ ${#COMPREPLY[@]} -gt 0 ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
        }
        complete -o filenames -F _vfio_user vfio-user
        """;

    private const string Zsh = """
        # zsh: eval "$(vfio-user completion zsh)", after compinit
        _vfio_user()
        {
            local -a offered
            offered=("${(@f)$(vfio-user complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
            if [[ -n ${offered[1]} ]]; then
                compadd -a offered
            else
                _files
            fi
        }
        compdef _vfio_user vfio-user
        """;

    private const string Fish = """
        # fish: vfio-user completion fish | source
        function __vfio_user_complete
            set -l words (commandline -opc) (commandline -ct)
            vfio-user complete -- $words[2..] 2>/dev/null
        end
        complete -c vfio-user -a '(__vfio_user_complete)'
        """;

    public static Command Create(Terminal terminal)
    {
        Command command = new("completion", "Prints a script that completes commands and options in a shell");
        Argument<string> shell = new("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish");
        command.Add(shell);
        command.SetAction(parsed =>
        {
            terminal.Out.WriteLine(parsed.GetRequiredValue(shell) switch
            {
                "bash" => Bash,
                "zsh" => Zsh,
                _ => Fish,
            });
            return ExitCode.Success;
        });
        return command;
    }
}
